package main

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"visavis.example/internal/media"
)

func TestAnchors(t *testing.T) {
	a := []anchor{{10, 0}, {11, 48000}, {12.5, 96000}} // half a second late from the second on
	for sample, want := range map[int64]float64{-4800: 9.9, 0: 10, 24000: 10.5, 72000: 11.75, 96000: 12.5, 144000: 13.5} {
		near(t, "the time of a sample", at(a, sample), want, 1e-9)
	}
}

// TestSoundDelay plays made-up speech that comes back quieter, with noise, late by a delay that grows in the middle.
func TestSoundDelay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speech.wav")
	if err := writeSpeech(path, 1); err != nil {
		t.Fatal(err)
	}
	pcm, err := readSound(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(pcm) != speechSeconds*media.SampleRate {
		t.Fatalf("%d samples", len(pcm))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	heard := make([]int16, len(pcm))
	for i := range heard {
		from := i - 137*48
		if i > 15*media.SampleRate {
			from = i - 262*48
		}
		heard[i] = int16(100 * rng.NormFloat64())
		if from >= 0 {
			heard[i] += pcm[from] / 3
		}
	}
	start := []anchor{{1000, 0}, {1031, 31 * media.SampleRate}}
	said := loudnessOf(pcm, []anchor{{1000, 0}, {1040, 40 * media.SampleRate}}, true)
	delays := soundDelays(said, loudnessOf(heard, start, false), 1002, 1030)
	if len(delays) < 20 {
		t.Fatalf("only %d delays", len(delays))
	}
	near(t, "the first delay", delays[0].V, 0.137, 0.003)
	near(t, "the last delay", delays[len(delays)-1].V, 0.262, 0.003)
	if other := soundDelays(said[3000:], loudnessOf(make([]int16, len(pcm)), start, false), 1002, 1030); len(other) != 0 {
		t.Errorf("silence is %v late", other)
	}
}

func TestPageSoundClock(t *testing.T) {
	// Messages are late by up to 80 ms, never early.
	all := []soundBlock{{0, 500.08, []float64{1, 2}}, {1, 501, []float64{3}}, {2, 502.05, []float64{4}}}
	l := blocks(all)
	near(t, "the first block", l[0].T, 500, 1e-9)
	near(t, "its second value", l[1].T, 500+step, 1e-9)
	near(t, "the last block", l[3].T, 502, 1e-9)
}
