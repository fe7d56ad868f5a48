package doctor

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDescriptorsOfARealProcess(t *testing.T) {
	d, err := descriptorsOf(os.Getpid())
	if err != nil || d.Open < 3 || d.Most < uint64(d.Open) {
		t.Errorf("of this one: %+v, %v", d, err)
	}
	cmd := exec.Command("/bin/sh", "-c", "ulimit -n 200; exec cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	// It answers once it has the limit.
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if d, err = descriptorsOf(cmd.Process.Pid); err != nil || d.Most != 200 {
		t.Errorf("of one with 200: %+v, %v", d, err)
	}
	if _, err := descriptorsOf(1 << 30); err == nil {
		t.Error("there is no such process")
	}
}

func TestARealDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := diskSpace(dir)
	if err != nil || s.Bytes == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := tryDisk(dir); err != nil {
		t.Errorf("it cannot be written: %v", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a disk of its own cannot be mounted here: %v", err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	d := &Doctor{Inside: &Inside{DataDir: dir, Disk: diskSpace}}
	d.disk()
	if len(d.findings) != 1 || d.findings[0].State != Bad {
		t.Errorf("a disk of 1 MB: %+v", d.findings)
	}
}
