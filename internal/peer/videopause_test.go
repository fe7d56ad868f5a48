package peer

import (
	"testing"
	"time"

	"visavis.example/internal/media"
)

func TestPause(t *testing.T) {
	var p pause
	now := time.Unix(1, 0)
	for i, s := range []struct {
		bps    int
		within time.Duration
		on     bool
	}{
		{800_000, time.Second, false},
		{90_000, 400 * time.Millisecond, false}, // a short dip
		{110_000, 10 * time.Second, false},
		{90_000, 600 * time.Millisecond, true},
		{140_000, 10 * time.Second, true}, // between the limits all stays
		{160_000, 1900 * time.Millisecond, true},
		{140_000, 100 * time.Millisecond, true},
		{160_000, 1900 * time.Millisecond, true},
		{160_000, 200 * time.Millisecond, false},
		{30_000, time.Second, true},
	} {
		changes := 0
		before := p.on
		for end := now.Add(s.within); now.Before(end); now = now.Add(33 * time.Millisecond) {
			if p.target(s.bps, now) {
				changes++
			}
		}
		if p.on != s.on || changes > 1 || (changes == 1) != (before != p.on) {
			t.Errorf("step %d: paused %v after %d changes", i, p.on, changes)
		}
	}
}

// On a line that carries no pictures the encoder stops, says so once, and goes on by itself.
func TestPictureWaitsForLine(t *testing.T) {
	v, out := sending(t, codecVP8, nil)
	told := make(chan bool, 10)
	v.onPause = func(on bool) { told <- on }
	v.setOpen(true)
	v.setTarget(300_000)
	frame := film(t, 320, 180, 1)[0]
	at := time.Now()
	var pool media.Pool
	next := func() {
		f := pool.Get(320, 180)
		f.CopyFrom(frame)
		at = at.Add(40 * time.Millisecond)
		f.Captured = at
		v.deliver(f)
		f.Release()
	}
	eventually(t, "pictures", func() bool { next(); return len(out.pictures(codecVP8)) > 3 })
	v.setTarget(60_000)
	eventually(t, "pause", func() bool { next(); return len(told) > 0 })
	if !<-told {
		t.Fatal("told that pictures flow")
	}
	eventually(t, "empty", func() bool { return !v.frames.waiting() })
	sent := v.count.frames.Load()
	for range 5 {
		next()
		eventually(t, "taken", func() bool { return !v.frames.waiting() })
	}
	if v.count.frames.Load() != sent {
		t.Error("encoded while paused")
	}
	v.setTarget(400_000)
	eventually(t, "pictures again", func() bool { next(); return v.count.frames.Load() > sent })
	if <-told {
		t.Error("told of another pause")
	}
	if keys := v.count.keys.Load(); keys != 1 {
		t.Errorf("%d key frames: nothing was lost", keys)
	}
}
