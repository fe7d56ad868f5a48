package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"visavis.example/internal/server/store"
)

// Errors that callers tell apart.
var (
	ErrDamaged    = errors.New("this is not a whole backup of visavis-server")
	ErrNewer      = errors.New("the backup was made by a newer version of this program")
	ErrUnfinished = errors.New("a restore into this data folder was not finished")
)

// Whole says whether a data folder is one; ErrUnfinished after a restore that broke off while it moved files.
func Whole(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, marker)); err == nil {
		return fmt.Errorf(`%w: run "visavis-server restore" with the same file again`, ErrUnfinished)
	}
	return nil
}

const maxManifest = 4 << 20

// read goes through a backup and gives every file to take, which must read all of it. It checks everything that can be
// checked without looking into the files.
func read(r io.Reader, take func(f File, r io.Reader) error) (Manifest, error) {
	var m Manifest
	zip, err := gzip.NewReader(r)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	t := tar.NewReader(zip)
	switch h, err := t.Next(); {
	case err != nil:
		return m, fmt.Errorf("%w: %w", ErrDamaged, err)
	case h.Name != manifestName:
		return m, fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	if err := json.NewDecoder(io.LimitReader(t, maxManifest)).Decode(&m); err != nil {
		return m, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if m.Format != Format {
		if strings.HasPrefix(m.Format, "visavis-backup/") {
			return m, fmt.Errorf("%w (%s, %s)", ErrNewer, m.Version, m.Format)
		}
		return m, fmt.Errorf("%w: format %q", ErrDamaged, m.Format)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if err := readFile(t, f, seen, take); err != nil {
			return m, err
		}
	}
	if !seen[Database] {
		return m, fmt.Errorf("%w: it has no database", ErrDamaged)
	}
	if _, err := t.Next(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: something follows the last file", ErrDamaged)
	}
	if _, err := io.Copy(io.Discard, zip); err != nil { // and with it gzip's own checksum
		return m, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, nil
}

func readFile(t *tar.Reader, f File, seen map[string]bool, take func(File, io.Reader) error) error {
	h, err := t.Next()
	switch {
	case err != nil:
		return fmt.Errorf("%w: it ends before %s: %w", ErrDamaged, f.Name, err)
	case h.Name != f.Name || h.Size != f.Size || h.Typeflag != tar.TypeReg:
		return fmt.Errorf("%w: there is %q in place of %q", ErrDamaged, h.Name, f.Name)
	case seen[f.Name], !filepath.IsLocal(filepath.FromSlash(f.Name)), left(strings.Split(f.Name, "/")[0]), strings.Contains(f.Name, `\`):
		return fmt.Errorf("%w: a file called %q", ErrDamaged, f.Name)
	}
	seen[f.Name] = true
	sum := sha256.New()
	if err := take(f, io.TeeReader(t, sum)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("%w: %s is not what was saved", ErrDamaged, f.Name)
	}
	return nil
}

// Verify reads a backup to its end and says whether it is whole.
func Verify(r io.Reader) (Manifest, error) {
	return read(r, func(_ File, r io.Reader) error {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	})
}

// Restore puts the backup in r into the data folder dir, which nothing may use meanwhile. Nothing is touched before the
// backup has been unpacked and found whole. What was there is moved to a folder in dir whose path is returned; empty when
// there was nothing. A restore that breaks off while it moves files leaves a marker that Whole sees, and can be repeated.
func Restore(ctx context.Context, r io.Reader, dir string, now time.Time) (m Manifest, before string, err error) {
	if err := Tidy(dir); err != nil {
		return m, "", err
	}
	stage, err := os.MkdirTemp(dir, staging)
	if err != nil {
		return m, "", fmt.Errorf("restore: %w", err)
	}
	defer func() { _ = os.RemoveAll(stage) }() // empty by then, or Tidy does it
	m, err = read(r, func(f File, r io.Reader) error { return unpack(stage, f, r) })
	if err == nil {
		err = store.Check(ctx, filepath.Join(stage, Database))
	}
	if err != nil {
		return m, "", fmt.Errorf("restore: %w", err)
	}
	before, err = swap(dir, stage, now)
	if err != nil {
		return m, before, fmt.Errorf("restore: %w", err)
	}
	return m, before, nil
}

func unpack(stage string, f File, r io.Reader) error {
	path := filepath.Join(stage, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name, err)
	}
	return errors.Join(err, w.Sync(), w.Close())
}

// swap moves what is in dir to a folder beside and what is in stage to dir, with a marker for as long as that takes.
func swap(dir, stage string, now time.Time) (before string, err error) {
	before, err = mark(dir, now)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(before, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return before, err
	}
	for _, e := range entries {
		if left(e.Name()) {
			continue
		}
		from, to := filepath.Join(dir, e.Name()), filepath.Join(before, e.Name())
		if _, err := os.Lstat(to); err == nil { // the one before is safe: this is of a restore that broke off
			err = os.RemoveAll(from)
			if err != nil {
				return before, err
			}
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return before, err
		}
	}
	if entries, err = os.ReadDir(stage); err != nil {
		return before, err
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(stage, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return before, err
		}
	}
	err = errors.Join(syncDir(before), syncDir(dir), os.Remove(filepath.Join(dir, marker)), syncDir(dir))
	if os.Remove(before) == nil { // there was nothing
		before = ""
	}
	return before, err
}

// mark says that files are being moved, and where to; what an earlier restore that broke off has said stands.
func mark(dir string, now time.Time) (before string, err error) {
	path := filepath.Join(dir, marker)
	if b, err := os.ReadFile(path); err == nil {
		if name := strings.TrimSpace(string(b)); strings.HasPrefix(name, aside) && filepath.IsLocal(name) {
			return filepath.Join(dir, name), nil
		}
	}
	name := aside + now.UTC().Format("20060102-150405")
	for n := 2; ; n++ { // never one that holds something
		err := os.Mkdir(filepath.Join(dir, name), 0o700)
		if err == nil {
			break
		} else if !errors.Is(err, os.ErrExist) {
			return "", err
		}
		name = fmt.Sprintf("%s%s-%d", aside, now.UTC().Format("20060102-150405"), n)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(name + "\n")
	return filepath.Join(dir, name), errors.Join(err, f.Sync(), f.Close(), syncDir(dir))
}

// syncDir makes renames last; Windows does that by itself and cannot be asked.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
