package peer

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacerSpreadsAPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		var last pacedPacket
		began := time.Now()
		p := newPacer(func(q *pacedPacket) error {
			times = append(times, time.Since(began))
			last = *q
			last.payload = bytes.Clone(q.payload)
			return nil
		}, nil)
		p.rate.Store(800_000) // 2 Mbit/s on the line
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() { defer close(done); p.run(stop) }()
		var parts [][]byte
		for i := range 50 {
			parts = append(parts, bytes.Repeat([]byte{byte(i)}, 1000))
		}
		p.put(5, parts, pictureMeta{number: 7})
		if p.room() {
			t.Error("50 kB leave room")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(times) != 50 {
			t.Fatalf("%d packets sent", len(times))
		}
		// 50 kB at 2 Mbit/s are 200 ms.
		if d := times[49]; d < 170*time.Millisecond || d > 230*time.Millisecond {
			t.Errorf("the last one left after %v", d)
		}
		if times[10] > 60*time.Millisecond || times[0] != 0 {
			t.Errorf("%v", times[:11])
		}
		if last.rtpTime != 5 || !last.marker || last.first || last.meta.number != 7 || last.size != 50_000 || last.payload[0] != 49 || !p.room() {
			t.Errorf("%+v", last)
		}
		<-p.spare
		close(stop)
		<-done
	})
}

// Sound never waits for pictures, and what pictures waited for too long is thrown away as a whole.
func TestPacerSoundFirstAndStalePicturesNever(t *testing.T) {
	now := time.Now()
	var sounds, packets, told int
	p := newPacer(func(*pacedPacket) error { packets++; return nil }, func(*pacedPacket) error { sounds++; return nil })
	p.onDiscard = func() { told++ }
	p.rate.Store(minPaceBps)
	p.put(1, [][]byte{make([]byte, 1000), make([]byte, 60_000)}, pictureMeta{})
	p.put(2, [][]byte{make([]byte, 1000)}, pictureMeta{})
	for range soundQueue + 5 {
		p.putSound(1, false, 0, []byte{1})
	}
	if wait := p.step(now); sounds != soundQueue || packets != 1 || wait <= 0 {
		t.Errorf("%d of sound, %d of pictures, wait %v", sounds, packets, wait)
	}
	p.step(now.Add(staleAfter + time.Second))
	if told != 1 || packets != 1 || p.thrown() != 2 || !p.room() || p.bytes != 0 {
		t.Errorf("told %d times, %d sent, %d discarded, %d bytes left", told, packets, p.discarded, p.bytes)
	}
}

// On a line that is known to be narrow pictures wait before it, where sound passes them, and as many are taken as before.
func TestPacerKeepsTheLinesQueueShort(t *testing.T) {
	now := time.Now()
	var left []time.Duration
	began := now
	p := newPacer(func(*pacedPacket) error { left = append(left, now.Sub(began)); return nil }, nil)
	p.rate.Store(900_000)
	p.full.Store(1_400_000)
	parts := make([][]byte, 9)
	for i := range parts {
		parts[i] = make([]byte, 1000)
	}
	p.put(1, parts, pictureMeta{})
	if !p.room() { // 9 kB are 32 ms at 2.5 times the rate
		t.Error("no room")
	}
	for range 200 {
		p.step(now)
		now = now.Add(time.Millisecond)
	}
	if n := len(left); n != 9 {
		t.Fatalf("%d packets left", n)
	}
	// 8 kB at 1.4 Mbit/s are 46 ms, of which 5 may be a burst.
	if d := left[8]; d < 38*time.Millisecond || d > 50*time.Millisecond {
		t.Errorf("the last one left after %v", d)
	}
}

// When the line falls, what is thrown away must have something smaller to follow it.
func TestFallThrowsNothingAwayForAKeyFrame(t *testing.T) {
	for _, c := range []struct{ waits, key, recovers, want bool }{
		{true, true, true, false}, {true, false, false, true}, {false, false, true, true}, {false, false, false, false},
	} {
		p := newPacer(nil, nil)
		p.recovers = func() bool { return c.recovers }
		if c.waits {
			p.put(1, [][]byte{make([]byte, 100)}, pictureMeta{key: c.key})
		}
		if p.replaceable() != c.want {
			t.Errorf("%+v", c)
		}
	}
}
