package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"visavis.example/internal/server/atomicfile"
)

// ErrInUse is why a second server does not start on the same data folder.
var ErrInUse = errors.New("another server uses this data folder")

// lockFolder keeps other servers out of a data folder until the file is closed.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := tryLock(f); err != nil {
		_ = f.Close()
		full, _ := filepath.Abs(dir)
		return nil, fmt.Errorf("%w: %s. Stop it, or choose another folder with --data", ErrInUse, full)
	}
	return f, nil
}

// State is DATA/server.json, which is there as long as the server runs: how programs on this machine find it.
type State struct {
	PID         int       `json:"pid"`
	URL         string    `json:"url"`
	Domain      string    `json:"domain,omitempty"`      // by which others reach it
	Listen      string    `json:"listen"`                // the real address and port
	TURN        string    `json:"turn,omitempty"`        // likewise; missing without a relay
	Metrics     string    `json:"metrics,omitempty"`     // likewise; missing when nothing is shown
	Certificate string    `json:"certificate,omitempty"` // PEM file to trust; missing with plain HTTP
	Fingerprint string    `json:"fingerprint,omitempty"`
	Admin       string    `json:"admin,omitempty"` // the socket of the operator's commands
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
}

// StateFile is the name of that file in the data folder.
const StateFile = "server.json"

// announce writes the state file, at the very end of a start.
func (s *Server) announce(context.Context) error {
	cert, err := filepath.Abs(s.CertFile())
	if err != nil {
		return fmt.Errorf("certificate path: %w", err)
	}
	st := State{
		PID: os.Getpid(), URL: s.URL(), Listen: s.Addr().String(), Version: s.Version, Started: time.Now().UTC().Truncate(time.Second),
		Fingerprint: s.Fingerprint(), Admin: s.adminAt,
	}
	if len(s.ACME.Domains) > 0 {
		st.Domain = s.ACME.Domains[0]
	}
	if s.cert != nil {
		st.Certificate = cert
	}
	if s.relay != nil {
		st.TURN = s.relay.Addr().String()
	}
	if a := s.MetricsAddr(); a.IsValid() {
		st.Metrics = a.String()
	}
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	path := filepath.Join(s.DataDir, StateFile)
	if err := atomicfile.Write(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	s.atClose(func() { _ = os.Remove(path) })
	return nil
}

// windowsAddrInUse is WSAEADDRINUSE, which package syscall has no name for that others share.
const windowsAddrInUse = syscall.Errno(10048)

// portTaken says what to do when somebody else has the port.
func portTaken(err error, address, flag string) error {
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsAddrInUse) {
		return fmt.Errorf("another program uses %s. Stop it, or choose another address with %s (%w)", address, flag, err)
	}
	return err
}

// onlyLoopback says whether nobody but this machine can reach a: it is loopback itself, or there is no other network.
func onlyLoopback(a netip.Addr) bool {
	if !a.IsUnspecified() {
		return a.IsLoopback()
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, i := range all {
		if n, ok := i.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return false
		}
	}
	return true
}
