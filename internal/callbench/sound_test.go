package main

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"visavis.example/internal/media"
	"visavis.example/internal/testkit"
)

func TestAnchors(t *testing.T) {
	a := []anchor{{10, 0}, {11, 48000}, {12.5, 96000}} // half a second late from the second on
	for sample, want := range map[int64]float64{-4800: 9.9, 0: 10, 24000: 10.5, 72000: 11.75, 96000: 12.5, 144000: 13.5} {
		near(t, "the time of a sample", at(a, sample), want, 1e-9)
	}
}

// TestSoundDelay hears syllables again quieter, with noise, late by a delay that grows in the middle.
func TestSoundDelay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var said, heard loudness
	for len(said) < 31*200 {
		n, loud := 10+rng.IntN(50), 8000*rng.Float64()
		for range n {
			said = append(said, point{1000 + step*float64(len(said)), loud})
		}
	}
	for i := range said {
		late := 137.0
		if i > 15*200 {
			late = 262
		}
		from := float64(i)*step - late/1000
		v := 100 * rng.Float64()
		if k := int(from / step); from > 0 {
			v += said[k].V / 3
		}
		heard = append(heard, point{1000 + step*float64(i), v})
	}
	delays := append(soundDelays(said, heard, 1004, 1010), soundDelays(said, heard, 1020, 1026)...)
	if len(delays) < 6 {
		t.Fatalf("only %d delays", len(delays))
	}
	near(t, "the first delay", delays[0].V, 0.137, 0.004)
	near(t, "the last delay", delays[len(delays)-1].V, 0.262, 0.004)
	for i := range heard {
		heard[i].V = 50 * rng.Float64()
	}
	if other := soundDelays(said, heard, 1004, 1010); len(other) != 0 {
		t.Errorf("noise is %v late", other)
	}
}

// TestSpeech holds that the speech is as long as it says, is no silence, and that its loudness is where it was played.
func TestSpeech(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speech.wav")
	if err := writeSpeech(path, 1); err != nil {
		t.Fatal(err)
	}
	pcm, err := testkit.Samples(path)
	if err != nil || len(pcm) != speechSeconds*media.SampleRate {
		t.Fatalf("%d samples: %v", len(pcm), err)
	}
	once := loudnessOf(pcm, []anchor{{1000, 0}, {1002, 2 * media.SampleRate}}, false)
	twice := loudnessOf(pcm[:media.SampleRate], []anchor{{1000, 0}, {1002, 2 * media.SampleRate}}, true)
	if len(once) != speechSeconds*200 || len(twice) != 400 {
		t.Fatalf("%d and %d steps", len(once), len(twice))
	}
	near(t, "the time of a step in the second round", twice[300].T, 1001.5, 1e-9)
	near(t, "its loudness", twice[300].V, once[100].V, 1e-9)
	if quantile(values(once), 0.5) < 500 {
		t.Error("the speech is hardly heard")
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

func TestApart(t *testing.T) {
	pictures := []point{{1, 90}, {7.1, 20}, {8, 30}, {9, 40}, {12, 200}}
	got := apart([]point{{3, 0.1}, {6, 0.1}, {10, 0.07}, {13, 0.11}}, pictures)
	if len(got) != 3 {
		t.Fatalf("%v", got)
	}
	near(t, "with the first picture", got[0].V, 10, 1e-9)
	near(t, "with three", got[1].V, 40, 1e-9)
	near(t, "the farthest", farthest(got), -90, 1e-9)
}
