package peer

import (
	"testing"
	"time"
)

// train sends a picture of ten packets at 6 Mbit/s through a line that passes them on at another rate.
func train(m *trainMeter, at time.Time, lineBps float64) {
	received := time.Duration(0)
	for i := range 10 {
		sent := at.Add(time.Duration(i) * 1600 * time.Microsecond)
		received = max(received+time.Duration(1200*8/lineBps*1e9), sent.Sub(at))
		m.add(arrival{sent: sent, received: time.Hour + received, size: 1200, video: true})
	}
}

func TestTrainShowsWhatTheLinePassesOn(t *testing.T) {
	var m trainMeter
	now := time.Unix(10, 0)
	for range 3 {
		train(&m, now, 100e6)
		now = now.Add(33 * time.Millisecond)
	}
	if m.bps < 8e6 || m.bps > 12e6 {
		t.Errorf("%.0f on a fast line", m.bps)
	}
	for range 2 {
		train(&m, now, 2e6)
		now = now.Add(100 * time.Millisecond)
	}
	if m.bps < 1.8e6 || m.bps > 2.2e6 {
		t.Errorf("%.0f on a line of 2 Mbit/s", m.bps)
	}
}

func TestRepairDebt(t *testing.T) {
	var d repairDebt
	now := time.Unix(10, 0)
	lost := func(n int) (list []arrival) {
		for range n {
			list = append(list, arrival{lost: true, video: true, size: 1200})
		}
		return list
	}
	for range 100 { // 10 % of 1 Mbit/s
		now = now.Add(100 * time.Millisecond)
		if d.take(lost(1), 1e6, now) {
			t.Fatal("ordinary loss is too much to repair")
		}
	}
	if !d.take(lost(40), 300_000, now) {
		t.Error("a second and more of sending is not")
	}
	if now = now.Add(5 * time.Second); d.take(nil, 300_000, now) {
		t.Error("it is not forgotten")
	}
}
