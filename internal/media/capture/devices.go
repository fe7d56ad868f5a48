package capture

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	_ "github.com/pion/mediadevices/pkg/driver/camera" // registers cameras
	"github.com/pion/mediadevices/pkg/driver/screen"   // registers screens

	"visavis.example/internal/media"
)

// devices guards what we know of video drivers, whose states are not safe for concurrent use.
var devices struct {
	mu     sync.Mutex
	scan   rescan
	open   map[string]bool // labels of devices that a source holds
	usable map[string]bool // by driver id: offers pictures (a webcam's metadata node does not)
}

// Cameras are the names for OpenCamera, the default one first. Cameras that were plugged in since are found; a camera
// that offers no pictures is left out.
func Cameras() []string {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	var names []string
	for _, d := range camerasLocked() {
		names = append(names, d.name)
	}
	return names
}

// Screens are the names for OpenScreen. There are none under Wayland, where a program sees only black through X11.
func Screens() []string {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	var names []string
	for _, d := range screensLocked() {
		names = append(names, d.name)
	}
	return names
}

// OpenCamera finds the camera of that name; "" is the first that can be opened. Start opens it with the mode nearest to
// the wanted size and rate. Pictures bigger than wanted are scaled down and superfluous ones left out; smaller and fewer
// ones come as they are. The source has ended when it Failed.
func OpenCamera(name string, width, height int, fps float64) (media.VideoSource, error) {
	if err := media.CheckSize(width, height); err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	devices.mu.Lock()
	defer devices.mu.Unlock()
	found := named(camerasLocked(), name)
	if len(found) == 0 {
		return nil, missing("camera", name, ErrNoCamera)
	}
	return &videoSource{devices: found, want: wanted{width, height, fps}}, nil
}

// OpenScreen finds the screen of that name, "" for the main one; see OpenCamera. Pictures have the screen's own size.
func OpenScreen(name string, fps float64) (media.VideoSource, error) {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	found := named(screensLocked(), name)
	if fps <= 0 {
		fps = screenFPS
	}
	if len(found) == 0 {
		return nil, missing("screen", name, ErrNoScreen)
	}
	return &videoSource{devices: found, want: wanted{media.MaxSide, media.MaxSide, fps}, screen: true}, nil
}

func missing(what, name string, err error) error {
	if name == "" {
		return err
	}
	return fmt.Errorf("%s %q: %w", what, name, err)
}

const screenFPS = 15

// device is a driver under the name that people know.
type device struct {
	driver.Driver
	name string
}

func named(all []device, name string) []device {
	if name == "" {
		return all
	}
	return slices.DeleteFunc(all, func(d device) bool { return d.name != name })
}

func camerasLocked() []device {
	devices.scan.run()
	drivers := videoDrivers(driver.Camera)
	return friendly(slices.DeleteFunc(drivers, func(d driver.Driver) bool { return !usableLocked(d) }), "Camera")
}

func screensLocked() []device {
	if os.Getenv("WAYLAND_DISPLAY") != "" && os.Getenv("XDG_SESSION_TYPE") == "wayland" {
		return nil
	}
	drivers := videoDrivers(driver.Screen)
	if len(drivers) == 0 { // the display may not have been there when the program began
		screen.Initialize()
		drivers = videoDrivers(driver.Screen)
	}
	return friendly(drivers, "Screen")
}

func videoDrivers(t driver.DeviceType) []driver.Driver {
	drivers := driver.GetManager().Query(driver.FilterAnd(driver.FilterVideoRecorder(), driver.FilterDeviceType(t)))
	slices.SortFunc(drivers, func(a, b driver.Driver) int { return compareInfo(a.Info(), b.Info()) })
	return drivers
}

// compareInfo orders by the driver's own preference, then so that the order is always the same.
func compareInfo(a, b driver.Info) int {
	switch {
	case a.Priority != b.Priority && a.Priority > b.Priority:
		return -1
	case a.Priority != b.Priority:
		return 1
	}
	return strings.Compare(a.Label, b.Label)
}

// usableLocked opens a camera once to see whether it has any mode. That neither streams nor lights its lamp. Elsewhere
// than on Linux every camera that is listed has one.
func usableLocked(d driver.Driver) bool {
	if runtime.GOOS != "linux" || devices.open[d.Info().Label] {
		return true
	}
	if u, ok := devices.usable[d.ID()]; ok {
		return u
	}
	if d.Status() != driver.StateClosed {
		return true
	}
	if err := d.Open(); err != nil {
		return true // busy, or not ours to open: Start will say why
	}
	u := len(d.Properties()) > 0
	_ = d.Close()
	if devices.usable == nil {
		devices.usable = map[string]bool{}
	}
	devices.usable[d.ID()] = u
	return u
}

// usbID finds vendor and product in the path that is all Windows' driver tells of a camera.
var usbID = regexp.MustCompile(`(?i)vid_([0-9a-f]{4})&pid_([0-9a-f]{4})`)

// friendly names each device: what the maker calls it, "Camera 2" where the driver does not know, "(2)" for namesakes.
func friendly(drivers []driver.Driver, kind string) []device {
	seen := map[string]int{}
	var all []device
	for i, d := range drivers {
		info := d.Info()
		name, _, _ := strings.Cut(info.Name, ";") // Linux adds where it is plugged in
		if name = strings.TrimSpace(name); name == "" {
			name = fmt.Sprintf("%s %d", kind, i+1)
			if m := usbID.FindStringSubmatch(info.Label); m != nil {
				name = fmt.Sprintf("USB %s %s:%s", strings.ToLower(kind), strings.ToUpper(m[1]), strings.ToUpper(m[2]))
			}
		}
		seen[name]++
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s (%d)", name, n)
		}
		all = append(all, device{d, name})
	}
	return all
}
