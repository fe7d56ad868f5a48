package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Inside is what can only be looked at on the server's own machine.
type Inside struct {
	DataDir string
	PID     int // of the server; 0: it does not run

	// For tests: nil asks the system.
	Disk  func(dir string) (Space, error)
	Clock func() (synchronized bool, err error)
	Files func(pid int) (Descriptors, error)
}

// Space is what is left on a disk.
type Space struct {
	Bytes    uint64
	Files    uint64 // inodes that are left
	AllFiles uint64 // 0: the disk has no such limit
}

// Descriptors are a process's open files and sockets.
type Descriptors struct {
	Open int // -1: not told
	Most uint64
}

// Bounds of what is good.
const (
	diskBad     = 64 << 20 // bytes: some hundred thousand chat lines, or one night of a log gone wild
	diskLittle  = 1 << 30
	filesLittle = 10_000 // inodes
	// A signed-in device takes one descriptor, a call through the relay up to six: 4096 are some hundred people.
	descriptorsBad    = 1024
	descriptorsLittle = 8192
)

var errUnknown = errors.New("this system does not tell")

func (d *Doctor) inside() {
	in := d.Inside
	if in.Disk == nil {
		in.Disk = diskSpace
	}
	if in.Clock == nil {
		in.Clock = clockSynchronized
	}
	if in.Files == nil {
		in.Files = descriptorsOf
	}
	if in.PID == 0 {
		d.bad("server", "no server runs on "+in.DataDir, "start it: systemctl start visavis, or visavis-server serve; what it logs says why it does not start")
	} else {
		d.good("server", "runs on %s as process %d", in.DataDir, in.PID)
		d.descriptors()
	}
	d.disk()
	d.clock()
}

func (d *Doctor) descriptors() {
	const check = "descriptors"
	f, err := d.Inside.Files(d.Inside.PID)
	mend := "let it have more: LimitNOFILE=65536 in the unit (systemctl edit visavis), or ulimit -n 65536 before it is started"
	switch {
	case err != nil:
		d.skipped(check, "how many files and sockets the server may open cannot be seen: %v", err)
	case f.Open >= 0 && uint64(f.Open)+f.Most/20 > f.Most:
		d.bad(check, fmt.Sprintf("the server has %d of %d files and sockets open: soon nobody more gets in", f.Open, f.Most), mend)
	case f.Most < descriptorsBad:
		d.bad(check, fmt.Sprintf("the server may open %d files and sockets only", f.Most), mend)
	case f.Most < descriptorsLittle:
		d.warning(check, fmt.Sprintf("the server may open %d files and sockets: enough for some hundred people", f.Most), mend)
	case f.Open >= 0:
		d.good(check, "%d of %d files and sockets are open", f.Open, f.Most)
	default:
		d.good(check, "the server may open %d files and sockets", f.Most)
	}
}

func (d *Doctor) disk() {
	const check = "disk"
	dir := d.Inside.DataDir
	if err := tryDisk(dir); err != nil && !errors.Is(err, os.ErrPermission) {
		d.bad(check, fmt.Sprintf("nothing can be written to %s: %v", dir, err), "make room, or mend the disk: chat and calls cannot be kept")
		return
	}
	s, err := d.Inside.Disk(dir)
	switch {
	case err != nil:
		d.skipped(check, "the room on the disk of %s cannot be seen: %v", dir, err)
	case s.Bytes < diskBad:
		d.bad(check, fmt.Sprintf("%s has %s left", dir, sizeText(s.Bytes)), "make room: chat and calls cannot be kept when it is full")
	case s.AllFiles > 0 && s.Files < filesLittle:
		d.bad(check, fmt.Sprintf("the disk of %s takes %d more files only", dir, s.Files), "remove files: some program has made very many")
	case s.Bytes < diskLittle:
		d.warning(check, fmt.Sprintf("%s has %s left", dir, sizeText(s.Bytes)), "make room before it is full")
	default:
		d.good(check, "%s left for %s", sizeText(s.Bytes), dir)
	}
}

// tryDisk writes as the server does: to the disk itself, not to memory.
func tryDisk(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// earliest is a time before which no clock can be right: this program did not exist.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (d *Doctor) clock() {
	const check = "clock"
	mend := "have it set by the network: timedatectl set-ntp true"
	now := d.Now()
	newest := now
	// What the server wrote last cannot be from the future.
	for _, name := range []string{"visavis.db", "visavis.db-wal", "server.json"} {
		if fi, err := os.Stat(filepath.Join(d.Inside.DataDir, name)); err == nil && fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
	}
	synchronized, err := d.Inside.Clock()
	switch {
	case now.Before(earliest):
		d.bad(check, "this machine thinks that it is "+now.UTC().Format(time.DateTime)+": certificates and relay passwords are not valid then", mend)
	case newest.Sub(now) > time.Minute:
		d.bad(check, fmt.Sprintf("the data is newer than now by %s: the clock went back", newest.Sub(now).Round(time.Second)), mend)
	case err != nil:
		d.skipped(check, "whether the clock is kept right cannot be seen: %v", err)
	case !synchronized:
		d.warning(check, "nothing keeps this machine's clock right; a wrong one makes certificates and relay passwords useless", mend)
	default:
		d.good(check, "kept right by the network")
	}
}

func sizeText(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}
