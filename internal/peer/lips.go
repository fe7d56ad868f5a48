package peer

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// lips brings the two received streams' reports and playing positions to their lipSync, and its delays to them.
type lips struct {
	sound   soundPlayer
	picture *videoReceiver
	source  func() uint32 // of the sound

	mu   sync.Mutex
	sync *lipSync
	said time.Time
}

// soundPlayer is what lip sync needs of an audioReceiver.
type soundPlayer interface {
	playing(now time.Time) playing
	setExtraDelay(d time.Duration)
}

func newLips(sound *audioReceiver, picture *videoReceiver) *lips {
	return &lips{sound: sound, source: sound.ssrc.Load, picture: picture, sync: newLipSync()}
}

// got takes a sender report, on pion's goroutine.
func (l *lips) got(r *rtcp.SenderReport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.SSRC {
	case l.source():
		l.sync.sound.got(r.NTPTime, r.RTPTime)
	case l.picture.ssrc.Load():
		l.sync.picture.got(r.NTPTime, r.RTPTime)
	}
}

// run compares until stop is closed.
func (l *lips) run(stop <-chan struct{}) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			l.step(now)
		}
	}
}

func (l *lips) step(now time.Time) {
	sound, picture := l.sound.playing(now), l.picture.played.load()
	l.mu.Lock()
	l.sync.step(now, sound, picture)
	soundExtra, pictureExtra := l.sync.soundExtra, l.sync.pictureExtra
	l.say(now)
	l.mu.Unlock()
	l.sound.setExtraDelay(soundExtra)
	l.picture.extra.store(pictureExtra)
}

// say puts into the trace, once a second, how far both are apart and what is done about it, in milliseconds.
func (l *lips) say(now time.Time) {
	s, log := l.sync, l.picture.trace
	if !log.On() || !s.known || now.Sub(l.said) < sayEvery {
		return
	}
	l.said = now
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	log.Decide("lips", "", map[string]float64{
		"pictureLater": ms(s.offset), "pictureHeld": ms(s.pictureExtra), "soundHeld": ms(s.soundExtra),
	}, now)
}
