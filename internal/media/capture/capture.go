// Package capture is where pictures and sound come from: cameras and screens through pion/mediadevices drivers,
// microphones through a malgo driver of our own registered with the same driver manager, y4m and wav files, test pictures
// and made-up sound. peer and cmd/client open sources here. Every source copies what its device gives at once and stamps
// it with the time it was read. Nothing here encodes, mixes or touches the network.
//
// Sources of cameras, screens, microphones and files also implement Failing.
package capture

import "errors"

// Failing is what sources implement that can end or be interrupted by themselves.
type Failing interface {
	// Failed gives at most one error. Cameras, screens and files have ended then (unplugged, broken, refused by the
	// system); a microphone was lost without replacement, keeps looking for one, and delivers nothing meanwhile. The
	// channel is closed by Close. Nil before Start.
	Failed() <-chan error
}

// Errors of Open… and Start, wrapped.
var (
	ErrNoCamera     = errors.New("no camera found")
	ErrNoScreen     = errors.New("no screen found")
	ErrNoMicrophone = errors.New("no microphone found")
	ErrBusy         = errors.New("already in use")
	ErrStalled      = errors.New("gives no pictures")
)

var errStarted = errors.New("source started twice")
