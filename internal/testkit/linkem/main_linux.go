// Command linkem is a bad line for whole programs: see package lossylink. It makes three network namespaces, A (10.77.0.1),
// B (10.77.0.2) and S (10.77.0.3, for the server), joins them, and says how to run programs in them:
//
//	go build -o bin/linkem ./internal/testkit/linkem
//	bin/linkem -both delay=25ms,loss=5% -at '20s both rate=300k' -at '40s both rate=2M'
//
// Ctrl-C ends it, and with it the namespaces. Needs root.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"visavis.example/internal/testkit/lossylink"
)

type list []string

func (l *list) String() string     { return strings.Join(*l, "; ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "linkem:", err)
		os.Exit(1)
	}
}

func run() error {
	both := flag.String("both", "delay=10ms", "A to B and B to A")
	srv := flag.String("srv", "delay=10ms", "to and from S")
	var sets, changes list
	flag.Var(&sets, "set", "'LINES SPEC', repeatable; LINES: ab ba as sa bs sb both srv all or ab+as")
	flag.Var(&changes, "at", "'TIME LINES SPEC', repeatable: a change so long after the start")
	seed := flag.Uint64("seed", 1, "the same seed has the same luck")
	commands := flag.Bool("commands", false, "for programs: events on standard output, 'start', 'set LINES SPEC', 'quit' from standard input")
	log := flag.String("log", "", "events as JSON lines into this file, - is standard output")
	plain := flag.Bool("plain", false, "without real-time priority")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "SPEC is a list such as delay=25ms,jitter=10ms,loss=2%,burst=5%:8,rate=1M,queue=300ms,dup=1%,reorder=1,block=1\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := lossylink.Possible(); err != nil {
		return err
	}
	if !*plain {
		if err := lossylink.Realtime(); err != nil {
			fmt.Fprintln(os.Stderr, "linkem: packets may be late:", err)
		}
	}
	mesh, err := newMesh(*seed, append([]string{"both " + *both, "srv " + *srv}, sets...), changes)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(400) // few packets live at a time
	j := &lossylink.Joint{Mesh: mesh, Report: io.Discard, Ready: tellPeople}
	switch {
	case *commands:
		j.Commands, j.Report, j.Ready = os.Stdin, os.Stdout, nil
		return j.Run(ctx)
	case *log == "-":
		j.Report = os.Stdout
	case *log != "":
		f, err := os.Create(*log)
		if err != nil {
			return err
		}
		defer f.Close()
		j.Report = f
	}
	j.Begin = true
	return j.Run(ctx)
}

func newMesh(seed uint64, sets, changes []string) (*lossylink.Mesh, error) {
	var schedule []lossylink.Change
	for _, text := range changes {
		c, err := lossylink.ParseChange(text)
		if err != nil {
			return nil, err
		}
		schedule = append(schedule, c)
	}
	mesh := lossylink.NewMesh(seed, schedule)
	for _, text := range sets {
		lines, spec, _ := strings.Cut(strings.TrimSpace(text), " ")
		if err := mesh.Set(lines, spec, 0); err != nil {
			return nil, err
		}
	}
	return mesh, nil
}

func tellPeople(namespaces map[string]string) {
	for _, h := range []lossylink.Host{lossylink.A, lossylink.B, lossylink.S} {
		fmt.Fprintf(os.Stderr, "%s %s: nsenter --net=%s COMMAND\n", strings.ToUpper(h.String()), h.Address(), namespaces[h.String()])
	}
}
