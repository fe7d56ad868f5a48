package doctor

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// clockSynchronized asks the kernel whether something disciplines its clock (adjtimex(2)).
func clockSynchronized() (bool, error) {
	state, err := unix.Adjtimex(&unix.Timex{})
	return state != unix.TIME_ERROR, err
}

// descriptorsOf reads /proc/PID/limits, which everybody may, and counts /proc/PID/fd, which the owner may.
func descriptorsOf(pid int) (Descriptors, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return Descriptors{}, err
	}
	defer f.Close()
	d := Descriptors{Open: -1}
	for in := bufio.NewScanner(f); in.Scan(); {
		if rest, ok := strings.CutPrefix(in.Text(), "Max open files"); ok {
			soft := strings.Fields(rest)
			if len(soft) == 0 {
				return d, errUnknown
			}
			if soft[0] == "unlimited" {
				d.Most = 1 << 31
			} else if d.Most, err = strconv.ParseUint(soft[0], 10, 64); err != nil {
				return d, errUnknown
			}
		}
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		d.Open = len(open)
	}
	if d.Most == 0 {
		return d, errUnknown
	}
	return d, nil
}
