package server

import "bytes"

// readMessage reads one message to its end. Its pieces may have pings and pongs between them, which are signs of life, but
// while it is read they give the socket no more time (see alive): a message that comes a byte a second, or in fragments
// of nothing without end, would else hold its memory and its reader for good. What it gives
// stays as it is until the next one is read.
func (k *socket) readMessage() (kind int, b []byte, err error) {
	kind, r, err := k.conn.NextReader()
	if err != nil {
		return kind, nil, err
	}
	to := &bytes.Buffer{}
	if k.reading != nil {
		to = &k.reading.message
		to.Reset()
	}
	k.within = true
	_, err = to.ReadFrom(r)
	k.within = false
	return kind, to.Bytes(), err
}
