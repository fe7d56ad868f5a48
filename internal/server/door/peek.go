package door

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

// kind is what a first byte begins, RFC 7983, section 7.
type kind uint8

const (
	isNothing kind = iota
	isSTUN
	isTLS
	isHTTP
)

func kindOf(b byte) kind {
	switch {
	case b < 4:
		return isSTUN
	case b == 22: // handshake, RFC 8446, section 5.1
		return isTLS
	case b >= 'A' && b <= 'Z': // methods of requests
		return isHTTP
	}
	return isNothing
}

// peek reads one byte and gives a connection that still has it.
func peek(c net.Conn) (net.Conn, kind, error) {
	p := &peeked{Conn: c, waiting: true}
	if _, err := io.ReadFull(c, p.first[:]); err != nil {
		return nil, isNothing, err
	}
	return p, kindOf(p.first[0]), nil
}

// peeked is a connection whose first byte has been read.
type peeked struct {
	net.Conn
	first   [1]byte
	waiting bool
}

// Read implements net.Conn.
func (p *peeked) Read(b []byte) (int, error) {
	if !p.waiting || len(b) == 0 {
		return p.Conn.Read(b)
	}
	p.waiting = false
	return copy(b, p.first[:]), nil
}

// NetConn is the connection below.
func (p *peeked) NetConn() net.Conn { return p.Conn }

// maxRequest bounds what is read of a plain request, in bytes.
const maxRequest = 8 << 10

// sendOn tells a browser that came by http:// to come back by https://. Nothing but a page may follow: what else was sent
// in the clear must be noticed, not repeated.
func sendOn(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxRequest)))
	if err != nil || r.Host == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis server speaks HTTPS only.\n")
		return
	}
	// Neither part can hold a line's end: ReadRequest would not have taken it.
	_, _ = fmt.Fprintf(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://%s%s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		r.Host, r.URL.RequestURI())
}
