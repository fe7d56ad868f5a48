//go:build !linux

package capture

import (
	"errors"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"
)

// openJPEG is for V4L2 only: the drivers of other systems ask their cameras for raw pictures.
func openJPEG(driver.Driver, prop.Media) (jpegCloser, error) {
	return nil, errors.New("not a V4L2 camera")
}
