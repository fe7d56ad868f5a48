package store

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	writerEnv = "VISAVIS_TEST_WRITER" // the file that a copy of this test program writes to until it is killed
	roundEnv  = "VISAVIS_TEST_ROUND"

	kills        = 20
	writesARound = 1000
)

// keepWriting is the copy: chat through the journal as the hub gives it, and between the lines calls, accounts and
// sessions. Each write is said on standard output once it has been acknowledged.
func keepWriting(path string) int {
	ctx, round := context.Background(), os.Getenv(roundEnv)
	fail := func(err error) int { fmt.Fprintln(os.Stderr, err); return 1 }
	s := &Store{Path: path}
	if err := s.Start(ctx); err != nil {
		return fail(err)
	}
	j := &Journal{Store: s, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := j.Start(); err != nil {
		return fail(err)
	}
	room := make(chan struct{}, 64) // lines on their way: as from many people at once
	for n := range writesARound {
		name := fmt.Sprintf("%s-%d", round, n)
		switch n % 40 {
		case 9:
			u := User{ID: name, Name: name, NameKey: name, Kind: "person", Password: "x", Created: noon}
			if err := s.AddUser(ctx, u); err != nil {
				return fail(err)
			}
			fmt.Println("user", name)
		case 19:
			if _, err := s.AddSession(ctx, Session{ID: name, User: User{ID: "anna", Password: "x"}, Created: noon.Add(time.Duration(n)), Used: noon}, 1<<20); err != nil {
				return fail(err)
			}
			fmt.Println("session", name)
		case 29:
			j.SaveCall(Call{ID: name, Caller: "anna", Callee: "bert", Started: noon, Accepted: noon})
			if err := j.Sync(ctx); err != nil {
				return fail(err)
			}
			fmt.Println("call", name)
		default:
			room <- struct{}{}
			j.SaveMessage(Message{From: "anna", To: "bert", Text: name, Sent: noon}, func(m Message, err error) {
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
				} else {
					fmt.Println("line", m.Text)
				}
				<-room
			})
		}
	}
	j.Close()
	fmt.Println("end", round) // it was not killed
	return 0
}

// Whatever was acknowledged before a process was killed in the middle of its writing is there afterwards, once, and the
// file is sound: twenty times over in the same file.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visavis.db")
	s := start(t, path)
	withUsers(t, s, "anna", "bert")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged, onDisk := map[string]string{}, 0
	for round := range kills {
		killedAfter(t, path, round, 1+random.IntN(writesARound*3/10), acknowledged)
		s := &Store{Path: path}
		if err := s.Start(t.Context()); err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		var sound string
		if err := s.read.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
			t.Fatalf("seed %d, round %d: the file is %q, %v", seed, round, sound, err)
		}
		found := everything(t, s)
		for name, kind := range acknowledged {
			if found[kind+" "+name] != 1 {
				t.Errorf("seed %d, round %d: %s %s was acknowledged and is there %d times", seed, round, kind, name, found[kind+" "+name])
			}
		}
		onDisk = len(found)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d writes acknowledged in %d killed runs, %d on disk", len(acknowledged), kills, onDisk)
}

// killedAfter runs the copy, kills it once it has said so much, and notes what it had said by then.
func killedAfter(t *testing.T, path string, round, writes int, said map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), writerEnv+"="+path, fmt.Sprintf("%s=%d", roundEnv, round))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		kind, name, ok := strings.Cut(lines.Text(), " ")
		switch {
		case !ok:
			t.Errorf("it said %q", lines.Text())
		case kind == "end":
			t.Errorf("round %s was not killed", name)
		default:
			said[name] = kind
		}
		if n++; n == writes {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it was killed
	if complaints.Len() > 0 || n < writes {
		t.Fatalf("it wrote %d times, and said:\n%s", n, complaints.String())
	}
}

// everything counts what is in the file, by kind and name.
func everything(t *testing.T, s *Store) map[string]int {
	t.Helper()
	found := map[string]int{}
	rows, err := s.read.QueryContext(t.Context(), `SELECT 'line ' || text FROM messages UNION ALL SELECT 'call ' || id FROM calls
		UNION ALL SELECT 'session ' || id FROM sessions UNION ALL SELECT 'user ' || id FROM users WHERE id NOT IN ('anna', 'bert')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var what string
		if err := rows.Scan(&what); err != nil {
			t.Fatal(err)
		}
		found[what]++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
