//go:build !linux

package server

// room is where connections with nothing to read wait, on systems where they can do so together.
type room struct{}

func newRoom() *room { return nil }

// Close ends the room.
func (*room) Close() {}
