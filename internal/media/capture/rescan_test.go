package capture

import (
	"slices"
	"testing"

	"github.com/pion/mediadevices/pkg/driver"
)

// A machine whose camera package behaves like Linux' one: listing again deletes every video driver.
func TestRescanKeepsOtherDrivers(t *testing.T) {
	m := driver.GetManager()
	plugged := []string{"first"}
	initialize := func() {
		for _, d := range m.Query(isVideo) {
			m.Delete(d.ID())
		}
		for _, label := range plugged {
			_ = m.Register(&fakeCamera{}, driver.Info{Label: "rescan:" + label, Name: label, DeviceType: driver.Camera})
		}
	}
	initialize()
	nodes := []string{"/dev/video0"}
	r := rescan{initialize: initialize, nodes: func() ([]string, bool) { return nodes, true }}
	r.begin()
	screen := &fakeCamera{}
	_ = m.Register(screen, driver.Info{Label: "rescan:screen", DeviceType: driver.Screen})
	first := m.Query(driver.FilterDeviceType(driver.Screen))[0]
	t.Cleanup(func() {
		for _, d := range m.Query(isVideo) {
			m.Delete(d.ID())
		}
	})
	labels := func() (all []string) {
		for _, d := range m.Query(isVideo) {
			all = append(all, d.Info().Label)
		}
		slices.Sort(all)
		return all
	}
	r.run() // nothing new
	if got := labels(); !slices.Equal(got, []string{"rescan:first", "rescan:screen"}) {
		t.Fatalf("%q", got)
	}
	for i, change := range [][]string{{"first", "second"}, {"second"}, {}, {"third"}} {
		plugged, nodes = change, append(nodes, "another")
		r.run()
		want := []string{}
		for _, p := range change {
			want = append(want, "rescan:"+p)
		}
		want = append(want, "rescan:screen")
		slices.Sort(want)
		if got := labels(); !slices.Equal(got, want) {
			t.Fatalf("after change %d: %q, want %q", i, got, want)
		}
		if len(r.restored) != 1 || len(r.cameras) != len(change) {
			t.Errorf("after change %d: %d put back, %d cameras", i, len(r.restored), len(r.cameras))
		}
	}
	for _, o := range r.restored {
		if o != first {
			t.Error("wrapped again and again")
		}
	}
	for _, d := range m.Query(driver.FilterDeviceType(driver.Screen)) { // what was put back still works
		if err := d.Open(); err != nil || screen.opens != 1 {
			t.Errorf("%v, opened %d times", err, screen.opens)
		}
		_ = d.Close()
	}
}
