// Package backup puts a server's data folder into one file and back. The file is a gzip'd tar: manifest.json first, with the
// SHA-256 of every other file, then the database as it was at one moment, then what else is in the folder (the certificate
// and its key, other secrets). Package server runs Write, also while people talk; cmd/server runs Restore on a folder that
// nothing uses. It knows nothing of what is in the database.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"visavis.example/internal/server/store"
)

// Format names the layout of the file; it changes when an older program could not restore a newer file.
const Format = "visavis-backup/1"

// Names in the data folder.
const (
	Database = "visavis.db"
	marker   = ".restoring"      // there while a restore moves files: the folder is not whole
	scratch  = ".backup-"        // the database's copy while a backup is made
	staging  = ".restore-"       // what is unpacked before it is checked
	aside    = "before-restore-" // what was there before a restore
)

const manifestName = "manifest.json"

// Manifest is the first file of a backup.
type Manifest struct {
	Format  string    `json:"format"`
	Version string    `json:"version"` // of the server that made it
	Created time.Time `json:"created"`
	Files   []File    `json:"files"` // in the order in which they follow
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"` // slashes, below the data folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// left says what of a data folder's first level is not the server's lasting data: what belongs to a running server, or to
// backups and restores.
func left(name string) bool {
	switch name {
	case "lock", "server.json", "admin.sock":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, aside)
}

// source is a file on its way into a backup.
type source struct {
	File
	path string
	body []byte // nil: read from path again, which does not change
}

// Write makes a backup of the data folder dir, whose database st is, and writes it to w.
func Write(ctx context.Context, st *store.Store, dir, version string, now time.Time, w io.Writer) error {
	tmp, err := os.MkdirTemp(dir, scratch)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // at worst Tidy does it at the next start
	files, err := gather(ctx, st, dir, tmp)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	m := Manifest{Format: Format, Version: version, Created: now.UTC().Truncate(time.Second)}
	for _, f := range files {
		m.Files = append(m.Files, f.File)
	}
	if err := pack(ctx, m, files, w); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// gather copies the database to tmp and finds and hashes the rest. Small files are kept, so that what is written is what
// was hashed even when somebody replaces them meanwhile.
func gather(ctx context.Context, st *store.Store, dir, tmp string) ([]source, error) {
	path := filepath.Join(tmp, Database)
	if err := st.Snapshot(ctx, path); err != nil {
		return nil, err
	}
	db := source{File: File{Name: Database}, path: path}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	db.Size, err = io.Copy(h, f)
	if _ = f.Close(); err != nil {
		return nil, err
	}
	db.SHA256 = hex.EncodeToString(h.Sum(nil))
	all := []source{db}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case relErr != nil:
			return relErr
		case name == ".":
			return nil
		case left(strings.Split(filepath.ToSlash(name), "/")[0]) && d.IsDir():
			return fs.SkipDir
		case left(name), !d.Type().IsRegular(), name == Database, strings.HasPrefix(name, Database+"-"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		all = append(all, source{File: File{filepath.ToSlash(name), int64(len(b)), hex.EncodeToString(sum[:])}, body: b})
		return nil
	})
	return all, err
}

func pack(ctx context.Context, m Manifest, files []source, w io.Writer) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(zip)
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	files = append([]source{{File: File{Name: manifestName, Size: int64(len(b))}, body: b}}, files...)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.pack(t, m.Created); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return zip.Close()
}

func (f source) pack(t *tar.Writer, at time.Time) error {
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o600, ModTime: at}); err != nil {
		return err
	}
	if f.path == "" {
		_, err := t.Write(f.body)
		return err
	}
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	_, err = io.Copy(t, r)
	return err
}

// Tidy removes what backups and restores that did not end have left in a folder that nothing else uses.
func Tidy(dir string) error {
	for _, pattern := range []string{scratch, staging} {
		found, err := filepath.Glob(filepath.Join(escape(dir), pattern+"*"))
		if err != nil {
			return fmt.Errorf("tidy data folder: %w", err)
		}
		for _, f := range found {
			if err := os.RemoveAll(f); err != nil {
				return fmt.Errorf("tidy data folder: %w", err)
			}
		}
	}
	return nil
}

// escape takes the meaning from what Glob would take for a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
