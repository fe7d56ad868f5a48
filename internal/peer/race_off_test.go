//go:build !race

package peer

// racing says that the race detector is in.
const racing = false
