package testkit

import (
	"os"
	"testing"
)

func TestUsageOfOurselves(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("no /proc/self/smaps_rollup here")
	}
	u, err := Usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.PSSMiB < 1 || u.PSSMiB > u.RSSMiB*1.2 || u.RSSMiB > u.PeakMiB*1.2 {
		t.Errorf("%+v", u)
	}
	if v := pssMiB("Rss:   9 kB\nPss:            2048 kB\nPss_Anon:  1 kB\n"); v != 2 {
		t.Errorf("PSS %v", v)
	}
}
