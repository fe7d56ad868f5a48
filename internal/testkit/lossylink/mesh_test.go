package lossylink

import (
	"testing"
	"time"
)

func TestMeshSchedule(t *testing.T) {
	var schedule []Change
	for _, text := range []string{"200ms ab block=0", "100ms ab+sb block=1"} {
		c, err := ParseChange(text)
		if err != nil {
			t.Fatal(err)
		}
		schedule = append(schedule, c)
	}
	m := NewMesh(1, schedule)
	if err := m.Set("all", "delay=10ms", 0); err != nil {
		t.Fatal(err)
	}
	const began = time.Second
	came := map[string]int{}
	var changed []Change
	for now := time.Duration(0); now < began+300*ms; now += ms {
		if now == began {
			m.Begin(now)
		}
		m.Tick(now, func(to Host, data []byte) { came[Host(data[0]).String()+to.String()]++ }, func(c Change) { changed = append(changed, c) })
		if now < began+290*ms { // ten more arrive
			for _, l := range [][2]Host{{A, B}, {B, A}, {S, B}} {
				if !m.Put(l[0], l[1], []byte{byte(l[0])}, now) {
					t.Fatal("no such line")
				}
			}
		}
	}
	if came["ab"] != 1290-100 || came["ba"] != 1290 || came["sb"] != 1290-190 {
		t.Errorf("came: %v", came)
	}
	if len(changed) != 2 || changed[0].At != 100*ms {
		t.Errorf("changes: %v", changed)
	}
	if at := m.Next(time.Hour); at != time.Hour {
		t.Errorf("an empty mesh waits for %v", at)
	}
}

func TestMeshNext(t *testing.T) {
	c, _ := ParseChange("50ms all loss=1%")
	m := NewMesh(1, []Change{c})
	if err := m.Set("ba", "delay=30ms", 0); err != nil {
		t.Fatal(err)
	}
	m.Begin(0)
	if at := m.Next(time.Second); at != 50*ms {
		t.Errorf("next is at %v", at)
	}
	m.Put(B, A, []byte{1}, 0)
	if at := m.Next(time.Second); at != 30*ms {
		t.Errorf("next is at %v", at)
	}
	if m.Put(A, A, []byte{1}, 0) || m.Put(A, 7, []byte{1}, 0) {
		t.Error("a packet to nowhere was taken")
	}
}

func TestRefusedChanges(t *testing.T) {
	for _, text := range []string{"", "1s both", "x both loss=1%", "-1s both loss=1%", "1s aa loss=1%", "1s ab+nobody loss=1%", "1s both loss=200%"} {
		if _, err := ParseChange(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
