package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

const (
	caller = "alice"
	callee = "bob"
	// settle is left out of all figures but the first picture's: the call ramps up.
	settle = 5 * time.Second
	// patience is for a part of a call that hangs; nothing is measured by it.
	patience = 60 * time.Second
)

// bench is what all calls share.
type bench struct {
	bin, linkem string
	keep        string             // a folder for what the clients wrote; empty: thrown away
	clips       map[string]string  // by name of the person
	sounds      map[string]string  //
	sources     map[string]*source // the clips, read
}

// outcome is a call that ended normally. Times are Unix seconds.
type outcome struct {
	Connected, From, To float64 // From..To is measured
	Seen                map[string]*witness
	Used                map[string]use // in a minute; of a watched call, what watching takes is in it
	Seconds             []lossylink.Second
	Changes             []lossylink.Changed
}

// call runs one call of the pairing over the line. Everything that was started is ended when it returns.
func (b *bench) call(ctx context.Context, line badLine, p pairing, seed uint64, length time.Duration, quiet bool) (*outcome, error) {
	stage, done, err := b.newStage(line, p, seed, quiet)
	if err != nil {
		return nil, err
	}
	defer done()
	link, err := lossylink.Start(ctx, lossylink.Config{
		Program: b.linkem, Lines: []string{"both " + line.Spec, "srv " + line.Srv}, Schedule: line.Changes, Seed: seed,
	})
	if err != nil {
		return nil, err
	}
	defer link.Close()
	stage.Before = func(who string) []string {
		return link.Before(map[string]lossylink.Host{"server": lossylink.S, caller: lossylink.A, callee: lossylink.B}[who])
	}
	starting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := lossylink.S.Address() + ":0"
	srv, err := stage.Server(starting, "--listen", at, "--turn-listen", at, "--public-ip", lossylink.S.Address())
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	one := b.party(stage, srv, link, caller, p, quiet, line.Picture)
	other := b.party(stage, srv, link, callee, p, quiet, line.Picture)
	defer one.Close()
	defer other.Close()
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"callee signs in", func() error { return other.Ready(starting) }},
		{"caller signs in", func() error { return one.Ready(starting) }},
		{"call", func() error { return one.Call(starting, callee) }},
		{"accept", func() error { return other.Accept(starting) }},
		{"caller connects", func() error { return one.Connected(starting) }},
		{"callee connects", func() error { return other.Connected(starting) }},
	} {
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return b.watch(ctx, link, map[string]party{caller: one, callee: other}, length)
}

// watch lets the call go on for its length, ends it and gathers what there is.
func (b *bench) watch(ctx context.Context, link *lossylink.Link, ends map[string]party, length time.Duration) (*outcome, error) {
	o := &outcome{Seen: map[string]*witness{}, Used: map[string]use{}, Connected: now()}
	if err := link.Begin(); err != nil {
		return nil, err
	}
	if err := testkit.Wait(ctx, settle); err != nil {
		return nil, err
	}
	o.From = now()
	before := map[string]use{}
	for name, p := range ends {
		u, err := treeUse(p.PID())
		if err != nil {
			return nil, err
		}
		before[name] = u
	}
	if err := testkit.Wait(ctx, length-settle); err != nil {
		return nil, err
	}
	o.To = now()
	for name, p := range ends {
		u, err := treeUse(p.PID())
		if err != nil {
			return nil, fmt.Errorf("%s ended early: %w", name, err)
		}
		minutes := (o.To - o.From) / 60
		o.Used[name] = use{CPU: time.Duration(float64(u.CPU-before[name].CPU) / minutes), PSS: u.PSS}
	}
	o.Seconds, o.Changes = link.Seconds(), link.Changes()
	ending, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, name := range []string{caller, callee} {
		w, err := ends[name].Finish(ending, name == caller)
		if err != nil {
			return nil, fmt.Errorf("end of %s: %w", name, err)
		}
		o.Seen[name] = w
	}
	return o, nil
}

func (b *bench) newStage(line badLine, p pairing, seed uint64, quiet bool) (*testkit.Stage, func(), error) {
	if b.keep != "" && !quiet {
		dir := filepath.Join(b.keep, fmt.Sprintf("%s-%s-%d", line.Name, p.Name, seed))
		err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
		return &testkit.Stage{Dir: dir, Bin: b.bin}, func() {}, err
	}
	dir, err := os.MkdirTemp("", "visavis-callbench-")
	return &testkit.Stage{Dir: dir, Bin: b.bin}, func() { _ = os.RemoveAll(dir) }, err
}

func (b *bench) party(stage *testkit.Stage, srv *testkit.Server, link *lossylink.Link, name string, p pairing, quiet, record bool) party {
	is, sees, host, others := p.Caller, p.Callee, lossylink.A, callee
	if name == callee {
		is, sees, host, others = p.Callee, p.Caller, lossylink.B, caller
	}
	w := who{Name: name, Host: host, Camera: b.clips[name], Sound: b.sounds[name], Quiet: quiet, Sees: sees, Record: record && !quiet}
	if is == chromium {
		dir := ""
		if b.keep != "" {
			dir = stage.Dir
		}
		return &browser{who: w, link: link, srv: srv, clip: b.sources[others], dir: dir}
	}
	return &ours{who: w, stage: stage, srv: srv, clip: b.sources[others]}
}

func now() float64 { return float64(time.Now().UnixMicro()) / 1e6 }
