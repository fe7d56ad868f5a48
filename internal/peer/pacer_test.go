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
	if told != 1 || packets != 1 || p.discarded != 2 || !p.room() || p.bytes != 0 {
		t.Errorf("told %d times, %d sent, %d discarded, %d bytes left", told, packets, p.discarded, p.bytes)
	}
}

func TestTimingOnAnEvenLine(t *testing.T) {
	var tm timing
	now, rtp := time.Unix(100, 0), uint32(4_294_000_000)
	for range 1000 {
		if d := tm.show(rtp, now).Sub(now); d < 0 || d > 2*time.Millisecond {
			t.Fatalf("shown %v later", d)
		}
		now, rtp = now.Add(time.Second/30), rtp+3000
	}
}

func TestTimingEvensOut(t *testing.T) {
	var tm timing
	began := time.Unix(100, 0)
	var last time.Time
	for i := range 600 {
		captured := began.Add(time.Duration(i) * time.Second / 30)
		late := time.Duration(i%5) * 15 * time.Millisecond
		at := tm.show(uint32(i*3000), captured.Add(late))
		if i > 100 {
			if gap := at.Sub(last); gap < 28*time.Millisecond || gap > 39*time.Millisecond {
				t.Fatalf("picture %d %v after the one before", i, gap)
			}
			if d := at.Sub(captured); d > 70*time.Millisecond {
				t.Fatalf("delay %v for lateness up to 60 ms", d)
			}
		}
		last = at
	}
	// After the line has calmed down the delay goes away again, and a long pause is no lateness.
	captured := began.Add(time.Minute)
	for i := range 900 {
		now := captured.Add(time.Duration(i) * time.Second / 30)
		at := tm.show(uint32(60*90000+i*3000), now)
		if d := at.Sub(now); i > 500 && d > 5*time.Millisecond {
			t.Fatalf("still %v", d)
		}
	}
}

func TestTimingIsBounded(t *testing.T) {
	var tm timing
	now := time.Unix(100, 0)
	for i, rtp := range []uint32{0, 1 << 31, 5, 4_000_000_000, 90000 * 3600, 7, 90000, 1, 0} {
		at := tm.show(rtp, now)
		if d := at.Sub(now); d > maxShowDelay {
			t.Errorf("step %d: shown %v later", i, d)
		}
		now = now.Add(10 * time.Millisecond)
	}
}

func TestDecodeQueue(t *testing.T) {
	q, now := newDecodeQueue(), time.Unix(1, 0)
	for i := range 5 {
		q.put(picture{rtpTime: uint32(i)}, now.Add(time.Duration(i)*10*time.Millisecond))
	}
	if p, behind, _, ok := q.due(now, 0); !ok || p.rtpTime != 0 || behind != 0 {
		t.Errorf("%v %d %v", p, behind, ok)
	}
	if _, _, wait, ok := q.due(now, 2*time.Millisecond); ok || wait != 7*time.Millisecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	if p, behind, _, ok := q.due(now.Add(time.Second), 0); !ok || p.rtpTime != 1 || behind != 3 {
		t.Errorf("%v %d %v", p, behind, ok)
	}
	for i := range decodeQueueLimit + 10 {
		if !q.put(picture{}, now) && i < decodeQueueLimit-3 {
			t.Fatalf("full after %d", i)
		}
	}
	if len(q.queue) > decodeQueueLimit {
		t.Errorf("%d kept", len(q.queue))
	}
}
