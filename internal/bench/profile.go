package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"visavis.example/internal/testkit"
)

// usualClients is the crowd that the aims are for.
const usualClients = 10_000

// crowdOptions say how many clients are idle, and where profiles of their server go (empty: none are made, for making
// them costs the server memory).
type crowdOptions struct {
	Clients  int
	Profiles string
}

func (o crowdOptions) people() int { return o.Clients / clientsEach }

// profile keeps one of a server's profiles.
func (o crowdOptions) profile(ctx context.Context, srv *testkit.Server, name, which string) error {
	if o.Profiles == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(srv.Data, "server.json"))
	if err != nil {
		return err
	}
	var at struct{ Metrics string }
	if err := json.Unmarshal(b, &at); err != nil {
		return fmt.Errorf("state of the server: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Metrics+"/debug/pprof/"+which, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile %s: HTTP %d", which, res.StatusCode)
	}
	if b, err = io.ReadAll(res.Body); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Profiles, name+".pprof"), b, 0o644)
}
