package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/atomicfile"
	"visavis.example/internal/server/backup"
)

func exportUser(ctx context.Context, c *command, args []string) error {
	file := c.flags.String("out", "", "`FILE` to write; default: to the terminal")
	if err := c.parse(args, "NAME"); err != nil {
		return err
	}
	return c.with(ctx, func(d desk) error {
		if *file == "" {
			return d.Export(ctx, c.words[0], c.out)
		}
		err := newFile(*file, false, func(w *os.File) error { return d.Export(ctx, c.words[0], w) })
		if err == nil {
			fmt.Fprintln(c.out, "written", *file)
		}
		return err
	})
}

func backupAll(ctx context.Context, c *command, args []string) error {
	force := c.flags.Bool("force", false, "replace FILE when it is there")
	if err := c.parse(args, "FILE"); err != nil {
		return err
	}
	var m backup.Manifest
	err := c.with(ctx, func(d desk) error {
		return newFile(c.words[0], *force, func(w *os.File) error {
			if err := d.Backup(ctx, w); err != nil {
				return err
			}
			if _, err := w.Seek(0, io.SeekStart); err != nil {
				return err
			}
			var err error
			m, err = backup.Verify(w) // as it is on disk
			return err
		})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s holds %d files and is whole. It has everything, passwords' hashes and keys too: keep it where nobody else reads it.\n",
		c.words[0], len(m.Files))
	return nil
}

// newFile writes a file that is there as a whole or not at all, for its owner only.
func newFile(path string, replace bool, write func(*os.File) error) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return fmt.Errorf("%s is there already", path)
	}
	return atomicfile.Create(path, 0o600, write)
}

func restoreAll(ctx context.Context, c *command, args []string) error {
	if err := c.parse(args, "FILE"); err != nil {
		return err
	}
	f, err := os.Open(c.words[0])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	m, before, err := server.Restore(ctx, c.data, f, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s holds what was saved on %s by version %s.\n", c.data, m.Created.Local().Format("2006-01-02 15:04"), m.Version)
	if before != "" {
		fmt.Fprintf(c.out, "What was there before is in %s; remove it when you do not need it.\n", before)
	}
	return nil
}
