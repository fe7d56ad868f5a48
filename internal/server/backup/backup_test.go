package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s := &store.Store{Path: filepath.Join(dir, Database)}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func addUser(t *testing.T, s *store.Store, name string) {
	t.Helper()
	if err := s.AddUser(t.Context(), store.User{ID: name, Name: name, NameKey: name, Kind: "person", Password: "x", Created: noon}); err != nil {
		t.Fatal(err)
	}
}

// folder is a data folder as a running server has it.
func folder(t *testing.T, users ...string) (dir string, s *store.Store) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data [odd*]?")
	put(t, filepath.Join(dir, "tls", "key.pem"), "a key")
	put(t, filepath.Join(dir, "empty"), "")
	put(t, filepath.Join(dir, "lock"), "")
	put(t, filepath.Join(dir, "server.json"), "{}")
	put(t, filepath.Join(dir, "before-restore-x", "old"), "older things")
	s = open(t, dir)
	for _, u := range users {
		addUser(t, s, u)
	}
	return dir, s
}

func save(t *testing.T, s *store.Store, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), s, dir, "1.2.3", noon, &b); err != nil {
		t.Fatal(err)
	}
	if m, err := Verify(bytes.NewReader(b.Bytes())); err != nil || m.Version != "1.2.3" || !m.Created.Equal(noon) {
		t.Fatalf("it does not verify: %+v, %v", m, err)
	}
	return b.Bytes()
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func users(t *testing.T, dir string) (all []string) {
	t.Helper()
	s := open(t, dir)
	defer func() { _ = s.Close() }()
	rows, err := s.Users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range rows {
		all = append(all, u.Name)
	}
	return all
}

func TestThereAndBack(t *testing.T) {
	dir, s := folder(t, "ann", "bob")
	saved := save(t, s, dir)
	if left := names(t, dir); slices.ContainsFunc(left, func(n string) bool { return strings.HasPrefix(n, scratch) }) {
		t.Errorf("it leaves %v", left)
	}
	addUser(t, s, "carol")
	put(t, filepath.Join(dir, "tls", "key.pem"), "another key")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m, before, err := Restore(t.Context(), bytes.NewReader(saved), dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 3 {
		t.Errorf("files %+v", m.Files)
	}
	if got := users(t, dir); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("there are %v", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tls", "key.pem")); string(b) != "a key" {
		t.Errorf("the key is %q, %v", b, err)
	}
	if got := users(t, before); !slices.Equal(got, []string{"ann", "bob", "carol"}) {
		t.Errorf("before, there were %v", got)
	}
	if b, err := os.ReadFile(filepath.Join(before, "tls", "key.pem")); string(b) != "another key" {
		t.Errorf("the key before is %q, %v", b, err)
	}
	if err := Whole(dir); err != nil {
		t.Error(err)
	}
	for _, f := range []string{filepath.Join(dir, Database), filepath.Join(dir, "tls", "key.pem")} {
		if fi, err := os.Stat(f); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi.Mode(), err)
		}
	}
	// Twice in the same second: what was moved aside first is not lost.
	_, again, err := Restore(t.Context(), bytes.NewReader(saved), dir, noon)
	if err != nil || again == before {
		t.Fatalf("again: %s, %v", again, err)
	}
	if got := users(t, before); len(got) != 3 {
		t.Errorf("the first one's are %v", got)
	}
	// On an empty machine.
	fresh := t.TempDir()
	if _, before, err = Restore(t.Context(), bytes.NewReader(saved), fresh, noon); err != nil || before != "" {
		t.Errorf("into an empty folder: %q, %v", before, err)
	}
	if got := names(t, fresh); !slices.Equal(got, []string{"empty", "tls", Database}) {
		t.Errorf("it holds %v", got)
	}
}

// A backup is of one moment: while lines are written one by one, it has the first n of them and nothing else.
func TestConsistentWhileItIsWritten(t *testing.T) {
	dir, s := folder(t, "ann")
	defer func() { _ = s.Close() }()
	j := &store.Journal{Store: s, Logger: slog.New(slog.DiscardHandler)}
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			answer := make(chan error, 1)
			j.SaveMessage(store.Message{From: "ann", Text: fmt.Sprint(i), Sent: noon}, func(_ store.Message, err error) { answer <- err })
			if err := <-answer; err != nil {
				t.Error(err)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	var all [][]byte
	for range 5 {
		all = append(all, save(t, s, dir))
	}
	close(stop)
	wg.Wait()
	j.Close()
	last := -1
	for i, b := range all {
		to := t.TempDir()
		if _, _, err := Restore(t.Context(), bytes.NewReader(b), to, noon); err != nil {
			t.Fatal(err)
		}
		r := open(t, to)
		lines, err := r.MessagesOf(t.Context(), "ann", 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		for n, l := range lines {
			if l.Text != fmt.Sprint(n) {
				t.Fatalf("backup %d: line %d is %q", i, n, l.Text)
			}
		}
		if len(lines) < last {
			t.Errorf("backup %d has %d lines, the one before %d", i, len(lines), last)
		}
		last = len(lines)
	}
}

// rewrite changes a backup the way damage or an attacker would.
func rewrite(t *testing.T, saved []byte, change func(m *Manifest, files map[string][]byte)) []byte {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(saved))
	if err != nil {
		t.Fatal(err)
	}
	files, order := map[string][]byte{}, []string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		order = append(order, h.Name)
	}
	var m Manifest
	if err := json.Unmarshal(files[manifestName], &m); err != nil {
		t.Fatal(err)
	}
	change(&m, files)
	if files[manifestName], err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		if !slices.Contains(order, f.Name) {
			order = append(order, f.Name)
		}
	}
	var b bytes.Buffer
	out := gzip.NewWriter(&b)
	w := tar.NewWriter(out)
	for _, name := range order {
		body, ok := files[name]
		if !ok {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(body)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is not a whole backup is refused before anything is touched.
func TestDamagedBackupsTouchNothing(t *testing.T) {
	dir, s := folder(t, "ann")
	saved := save(t, s, dir)
	addUser(t, s, "bob")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	flip := func(at int) []byte {
		b := bytes.Clone(saved)
		b[at] ^= 1
		return b
	}
	named := func(name string) []byte {
		return rewrite(t, saved, func(m *Manifest, files map[string][]byte) {
			m.Files = append(m.Files, File{Name: name, SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})
			files[name] = nil
		})
	}
	// Well packed, but what is in it is no use.
	forged := func(db []byte) []byte {
		return rewrite(t, saved, func(m *Manifest, files map[string][]byte) {
			sum := sha256.Sum256(db)
			files[Database], m.Files[0].Size, m.Files[0].SHA256 = db, int64(len(db)), hex.EncodeToString(sum[:])
		})
	}
	whole, err := os.ReadFile(filepath.Join(dir, Database))
	if err != nil {
		t.Fatal(err)
	}
	half := whole[:len(whole)/2]
	for what, c := range map[string]struct {
		b    []byte
		want error // nil: *store.Damaged
	}{
		"nothing":         {nil, ErrDamaged},
		"something else":  {[]byte("PK\x03\x04 this is no backup"), ErrDamaged},
		"the first half":  {saved[:len(saved)/2], ErrDamaged},
		"all but the end": {saved[:len(saved)-3], ErrDamaged},
		"a bit, early":    {flip(len(saved) / 4), ErrDamaged},
		"a bit, late":     {flip(len(saved) - 5), ErrDamaged},
		"outside":         {named("../evil"), ErrDamaged},
		"outside, deeper": {named("tls/../../evil"), ErrDamaged},
		"an absolute one": {named("/etc/evil"), ErrDamaged},
		"the lock":        {named("lock"), ErrDamaged},
		"the marker":      {named(marker), ErrDamaged},
		"a newer format": {rewrite(t, saved, func(m *Manifest, _ map[string][]byte) {
			m.Format = "visavis-backup/2"
		}), ErrNewer},
		"another file": {rewrite(t, saved, func(_ *Manifest, files map[string][]byte) {
			files["tls/key.pem"] = []byte("b key")
		}), ErrDamaged},
		"no database in it": {forged([]byte("SQLite format 3\x00 or is it")), nil},
		"an empty one":      {forged(nil), nil},
		"half a database":   {forged(half), nil},
		"no database": {rewrite(t, saved, func(m *Manifest, files map[string][]byte) {
			delete(files, Database)
			m.Files = m.Files[1:]
		}), ErrDamaged},
		"more than it says": {rewrite(t, saved, func(m *Manifest, _ map[string][]byte) {
			m.Files = m.Files[:1]
		}), ErrDamaged},
	} {
		_, _, err := Restore(t.Context(), bytes.NewReader(c.b), dir, noon)
		var damaged *store.Damaged
		if c.want == nil && !errors.As(err, &damaged) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if got := names(t, dir); !slices.Equal(got, before) {
			t.Errorf("%s leaves %v", what, got)
		}
	}
	if got := users(t, dir); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("there are %v", got)
	}
}

// A restore that breaks off while it moves files is seen, and can be repeated without losing anything.
func TestRestoreThatBroke(t *testing.T) {
	dir, s := folder(t, "new")
	saved := save(t, s, dir)
	addUser(t, s, "old")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// As it is when the power goes after the database has been moved in, and before the certificate has.
	before, err := mark(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Database, "tls"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(before, name)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, Database), "half")
	if err := Whole(dir); !errors.Is(err, ErrUnfinished) {
		t.Errorf("a half one: %v", err)
	}
	_, aside, err := Restore(t.Context(), bytes.NewReader(saved), dir, noon.Add(time.Hour))
	if err != nil || aside != before {
		t.Fatalf("again: %q, %v", aside, err)
	}
	if err := Whole(dir); err != nil {
		t.Error(err)
	}
	if got := users(t, dir); !slices.Equal(got, []string{"new"}) {
		t.Errorf("there are %v", got)
	}
	if got := users(t, before); !slices.Equal(got, []string{"new", "old"}) {
		t.Errorf("before, there were %v", got)
	}
	if got := names(t, before); !slices.Contains(got, "tls") || !slices.Contains(got, "empty") {
		t.Errorf("before, there was %v", got)
	}
}
