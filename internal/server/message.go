package server

import "io"

// readMessage reads one message to its end. Its pieces may have pings and pongs between them, which are signs of life, but
// while it is read they give the socket no more time (see alive): a message that comes a byte a second, or in fragments
// of nothing without end, would else hold its memory and its reader for good.
func (k *socket) readMessage() (kind int, b []byte, err error) {
	kind, r, err := k.conn.NextReader()
	if err != nil {
		return kind, nil, err
	}
	k.within = true
	b, err = io.ReadAll(r)
	k.within = false
	return kind, b, err
}
