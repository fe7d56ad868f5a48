package capture

import (
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/driver/camera"
)

// rescan finds cameras that were plugged in or out while the program runs. camera.Initialize is all there is for it, and
// has traps: on Linux it deletes every video driver, screens and other people's too; elsewhere it adds each camera once
// more. So what it deletes and did not register itself is put back, and what it would double is deleted first.
type rescan struct {
	initialize func()                  // tests replace it
	nodes      func() ([]string, bool) // what is there, cheaply; false: cannot tell

	last     time.Time
	seen     []string
	cameras  map[string]bool          // ids that initialize registered
	restored map[string]driver.Driver // by new id: the driver as it was first registered
}

const rescanEvery = 2 * time.Second

// init runs right after the camera package's own, which has just listed everything.
func init() { devices.scan.begin() }

func (r *rescan) begin() {
	if r.initialize == nil {
		r.initialize = initializeCameras
	}
	if r.nodes == nil {
		r.nodes = videoNodes
	}
	r.last = time.Now()
	r.seen, _ = r.nodes()
	r.cameras, r.restored = map[string]bool{}, map[string]driver.Driver{}
	for _, d := range driver.GetManager().Query(driver.FilterAnd(isVideo, driver.FilterDeviceType(driver.Camera))) {
		r.cameras[d.ID()] = true
	}
}

var isVideo = driver.FilterVideoRecorder()

// run scans again when there may be something new.
func (r *rescan) run() {
	now, known := r.nodes()
	if known && slices.Equal(now, r.seen) || !known && time.Since(r.last) < rescanEvery {
		return
	}
	r.seen, r.last = now, time.Now()
	r.again()
}

func (r *rescan) again() {
	m := driver.GetManager()
	before := m.Query(isVideo)
	for id := range r.cameras {
		m.Delete(id)
	}
	r.initialize()
	after := map[string]bool{}
	for _, d := range m.Query(isVideo) {
		after[d.ID()] = true
	}
	others := slices.DeleteFunc(before, func(d driver.Driver) bool { return r.cameras[d.ID()] })
	r.cameras = map[string]bool{}
	for id := range after {
		if !slices.ContainsFunc(others, func(d driver.Driver) bool { return d.ID() == id }) {
			r.cameras[id] = true
		}
	}
	for _, d := range others {
		if !after[d.ID()] {
			r.restore(d)
		}
	}
}

// restore registers a driver again. The manager wraps it in a new one, so the first is kept: wrapping must not pile up.
func (r *rescan) restore(d driver.Driver) {
	m := driver.GetManager()
	original := d
	if o, ok := r.restored[d.ID()]; ok {
		original = o
		delete(r.restored, d.ID())
	}
	had := map[string]bool{}
	for _, x := range m.Query(isVideo) {
		had[x.ID()] = true
	}
	_ = m.Register(original, d.Info())
	for _, x := range m.Query(isVideo) {
		if !had[x.ID()] {
			r.restored[x.ID()] = original
		}
	}
}

// initializeCameras survives that macOS' Initialize panics when the system refuses a list.
func initializeCameras() {
	defer func() { _ = recover() }()
	camera.Initialize()
}

func videoNodes() ([]string, bool) {
	if runtime.GOOS != "linux" {
		return nil, false
	}
	nodes, err := filepath.Glob("/dev/video*")
	return nodes, err == nil
}
