//go:build !race

package server_test

// racing says that the race detector is in.
const racing = false
