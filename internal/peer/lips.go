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
}

// soundPlayer is what lip sync needs of an audioReceiver.
type soundPlayer interface {
	playing(now time.Time) (rtpTime uint32, at time.Time, ok bool)
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
	var sound, picture playing
	sound.rtpTime, sound.at, sound.ok = l.sound.playing(now)
	picture.rtpTime, picture.at, picture.ok = l.picture.played.load()
	l.mu.Lock()
	l.sync.step(now, sound, picture)
	soundExtra, pictureExtra := l.sync.soundExtra, l.sync.pictureExtra
	l.mu.Unlock()
	l.sound.setExtraDelay(soundExtra)
	l.picture.extra.store(pictureExtra)
}
