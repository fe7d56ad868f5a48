package peer

import "log/slog"

// device is what sources and sinks have in common.
type device interface {
	Close() error
	Label() string
}

// keeper owns one device at a time: opening and closing take their time, so they have a goroutine of their own, which
// ends when stop is closed. The newest wish wins; a device that was wished for and never started is closed too.
type keeper[D device] struct {
	wish   *slot[D]
	stop   <-chan struct{}
	start  func(D) error                 // begins to use it
	gone   func()                        // after it was closed; before the next is started
	failed func(label string, err error) // of start; not told of a device that another has taken the place of
	log    *slog.Logger
}

func isNil[D device](d D) bool { return any(d) == nil }

// set replaces the device; nil is none.
func (k *keeper[D]) set(d D) {
	if old, was := k.wish.put(d); was && !isNil(old) {
		_ = old.Close() // never started: nothing to lose
	}
	select {
	case <-k.stop:
		k.drop()
	default:
	}
}

// run keeps the device until stop is closed, then lets go of it.
func (k *keeper[D]) run() {
	var have D
	release := func() {
		if isNil(have) {
			return
		}
		if err := have.Close(); err != nil { // no news for the call: nobody wants it any more
			k.log.Warn("close device", "device", have.Label(), "err", err)
		}
		var none D
		have = none
		k.gone()
	}
	defer release()
	defer k.drop()
	for {
		select {
		case <-k.stop:
			return
		case <-k.wish.wake:
		}
		want, ok := k.wish.take()
		if !ok {
			continue
		}
		release()
		if isNil(want) {
			continue
		}
		if err := k.start(want); err != nil {
			_ = want.Close()
			if !k.wish.waiting() {
				k.failed(want.Label(), err)
			}
			continue
		}
		have = want
	}
}

// drop closes a device that nobody took up.
func (k *keeper[D]) drop() {
	if d, ok := k.wish.take(); ok && !isNil(d) {
		_ = d.Close()
	}
}
