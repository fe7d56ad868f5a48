package app

import (
	"time"

	"visavis.example/internal/signal"
)

// Event is one line of what the client does, for scripts and tests: `visavis … --events FILE`. The names in Event are
// signed-in, sign-in-failed, online, offline, incoming, ringing, accepted, connected, reconnecting, first-remote-frame,
// first-remote-audio, stats, ended, notice.
type Event struct {
	Time    time.Time        `json:"time"`
	Event   string           `json:"event"`
	User    string           `json:"user,omitempty"` // name: oneself on signed-in, else the other
	CallID  string           `json:"callId,omitempty"`
	Reason  signal.EndReason `json:"reason,omitempty"` // ended
	Text    string           `json:"text,omitempty"`   // for people: notice, offline, sign-in-failed, ended
	Video   bool             `json:"video,omitempty"`  // incoming, accepted: the other means to send a picture
	Path    signal.Path      `json:"path,omitempty"`   // connected
	Width   int              `json:"width,omitempty"`  // first-remote-frame, in pixels
	Height  int              `json:"height,omitempty"`
	SetupMs int64            `json:"setupMs,omitempty"` // first-remote-…: since the call was accepted
	Seconds float64          `json:"seconds,omitempty"` // ended: how long media flowed
	Stats   *Stats           `json:"stats,omitempty"`
}

// Stats are a second's measurements under the names of W3C webrtc-stats where it has one.
type Stats struct {
	Path                 signal.Path `json:"path,omitempty"`
	CurrentRoundTripTime float64     `json:"currentRoundTripTime"` // seconds
	Codec                string      `json:"codec,omitempty"`
	Inbound              Flow        `json:"inbound"`
	Outbound             Flow        `json:"outbound"`
}

// Flow is one direction.
type Flow struct {
	FrameWidth      int     `json:"frameWidth"`
	FrameHeight     int     `json:"frameHeight"`
	FramesPerSecond float64 `json:"framesPerSecond"`
	BitrateKbps     int     `json:"bitrateKbps"`
	LossPercent     float64 `json:"lossPercent,omitempty"`
}

// tell hands an event out, with the time and, unless they are set, the current call and the other's name.
func (a *App) tell(e Event) {
	if len(a.told) == 0 {
		return
	}
	e.Time = time.Now()
	for _, f := range a.told {
		f(e)
	}
}

func (a *App) tellCall(e Event) {
	e.CallID, e.User = a.snap.Call.ID, a.snap.Call.Peer.Name
	a.tell(e)
}

func statsOf(q Quality) *Stats {
	return &Stats{
		Path: q.Path, CurrentRoundTripTime: q.RTT.Seconds(), Codec: q.VideoCodec,
		Inbound:  Flow{q.ReceiveSize[0], q.ReceiveSize[1], q.ReceiveFPS, q.ReceiveKbps, q.LossPercent},
		Outbound: Flow{q.SendSize[0], q.SendSize[1], q.SendFPS, q.SendKbps, 0},
	}
}
