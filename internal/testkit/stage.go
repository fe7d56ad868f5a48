package testkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Stage is where programs meet: built binaries and a folder for all that they write.
type Stage struct {
	Dir string // for data, recordings, passwords
	Bin string // holds visavis and visavis-server

	// Before gives words to put before the command of "server" or of a person, such as nsenter and its flags; nil: none.
	Before func(who string) []string
}

// start runs one of the two programs as that person.
func (s *Stage) start(who, program string, env, args []string) (*Process, error) {
	words := []string{filepath.Join(s.Bin, program)}
	if s.Before != nil {
		words = append(s.Before(who), words...)
	}
	return Start(who, words[0], env, append(words[1:], args...)...)
}

// Binaries gives the folder with both programs: $VISAVIS_BIN, or a fresh build into dir.
func Binaries(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv("VISAVIS_BIN"); bin != "" {
		for _, name := range []string{"visavis", "visavis-server"} {
			if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
				return "", fmt.Errorf("VISAVIS_BIN: %w", err)
			}
		}
		return bin, nil
	}
	for name, pkg := range map[string]string{"visavis": "client", "visavis-server": "server"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name), "./cmd/"+pkg)
		cmd.Dir = Root()
		if name == "visavis-server" {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
}

// Root is the folder of the module, found from this file.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Server is a running visavis-server.
type Server struct {
	*Process
	URL  string // https://127.0.0.1:PORT
	CA   string // its certificate
	Data string
}

// Server starts a server on free ports of the loopback address, and waits until it is healthy.
func (s *Stage) Server(ctx context.Context, args ...string) (*Server, error) {
	data := filepath.Join(s.Dir, "data")
	all := append([]string{"serve", "--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--data", data}, args...)
	p, err := s.start("server", "visavis-server", nil, all)
	if err != nil {
		return nil, err
	}
	line, err := p.Line(ctx, func(l string) bool { return strings.HasPrefix(l, "listening ") })
	if err != nil {
		p.Close()
		return nil, err
	}
	return &Server{Process: p, URL: strings.Fields(line)[1], CA: filepath.Join(data, "tls", "cert.pem"), Data: data}, nil
}

// Again starts a server that has ended, killed or not, anew: with its data and at its addresses.
func (s *Stage) Again(ctx context.Context, old *Server, args ...string) (*Server, error) {
	b, err := os.ReadFile(filepath.Join(old.Data, "server.json")) // one that ended by itself takes this file along
	if err != nil {
		return nil, err
	}
	var at struct{ Listen, TURN string }
	if err := json.Unmarshal(b, &at); err != nil {
		return nil, fmt.Errorf("state of the server: %w", err)
	}
	return s.Server(ctx, append([]string{"--listen", at.Listen, "--turn-listen", at.TURN}, args...)...)
}

// Password is every test person's.
const Password = "correct horse 7 battery"

// Client starts the windowless client as that person. The password and the events flag are added.
func (s *Stage) Client(srv *Server, name string, args ...string) (*Process, error) {
	return s.start(name, "visavis", s.env(name), s.args(srv, name, args))
}

func (s *Stage) env(name string) []string {
	// No display, no sound server, no keyring of this machine: what a person has there is not a test's.
	return []string{
		"VISAVIS_PASSWORD=" + Password, "XDG_CONFIG_HOME=" + filepath.Join(s.Dir, name), "DISPLAY=", "WAYLAND_DISPLAY=",
		"DBUS_SESSION_BUS_ADDRESS=",
	}
}

func (s *Stage) args(srv *Server, name string, args []string) []string {
	all := append([]string{}, args...)
	return append(all, "--server", srv.URL, "--ca", srv.CA, "--user", name, "--events", "-")
}

// Register makes accounts.
func (s *Stage) Register(ctx context.Context, srv *Server, names ...string) error {
	for _, name := range names {
		p, err := s.Client(srv, name, "register")
		if err != nil {
			return err
		}
		code, err := p.Exit(ctx)
		if err == nil && code != 0 {
			err = errors.New(p.Errors())
		}
		if err != nil {
			return fmt.Errorf("register %s: %w", name, err)
		}
	}
	return nil
}

// Path is a file of this stage.
func (s *Stage) Path(name string) string { return filepath.Join(s.Dir, name) }
