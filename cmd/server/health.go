package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"visavis.example/internal/server"
)

// health asks the server that runs on a data folder whether a person could sign in, through its real door and with its
// certificate. For scripts, service managers and containers.
func health(ctx context.Context, args []string, env func(string) (string, bool), out, problems io.Writer) int {
	f := flag.NewFlagSet("health", flag.ContinueOnError)
	f.SetOutput(problems)
	given := f.String("data", "", "`DIR` of the server's data; default: as its configuration says")
	file := f.String("config", "", "the server's configuration `FILE`")
	wait := f.Duration("wait", 0, "try again for so long before giving up")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil || f.NArg() > 0:
		return exitUsage
	}
	data, err := dataDir(*given, *file, env)
	if err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, max(*wait, 5*time.Second))
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for start := time.Now(); ; {
		url, err := ask(ctx, data)
		if err == nil {
			fmt.Fprintln(out, "healthy", url)
			return exitOK
		}
		if time.Since(start) >= *wait || ctx.Err() != nil {
			fmt.Fprintln(problems, "visavis-server:", err)
			return exitFailed
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// ask finds the server by its state file and gets /healthz once.
func ask(ctx context.Context, data string) (url string, err error) {
	st, err := runningState(data)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if st.Certificate != "" {
		chain, err := os.ReadFile(st.Certificate)
		if err != nil {
			return "", fmt.Errorf("read certificate: %w", err)
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM(chain)
		// A certificate for a domain is not for the address by which this machine reaches itself.
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: nameIn(chain), MinVersion: tls.VersionTLS12}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, st.URL+"/healthz", nil)
	if err != nil {
		return "", err
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", fmt.Errorf("not reachable: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s/healthz says %s", st.URL, res.Status)
	}
	return st.URL, nil
}

// nameIn is a name that the first certificate is for; empty when it has none.
func nameIn(chain []byte) string {
	block, _ := pem.Decode(chain)
	if block == nil {
		return ""
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(c.DNSNames) == 0 {
		return ""
	}
	return strings.Replace(c.DNSNames[0], "*", "any", 1)
}

// runningState is where the server is that runs on a data folder; os.ErrNotExist: none runs.
func runningState(dir string) (server.State, error) {
	var st server.State
	b, err := os.ReadFile(filepath.Join(dir, server.StateFile))
	if err != nil {
		return st, fmt.Errorf("no server runs on %s: %w", dir, err)
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("%s is damaged: %w", server.StateFile, err)
	}
	return st, nil
}
