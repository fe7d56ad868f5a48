package app

import (
	"time"

	"visavis.example/internal/report"
	"visavis.example/internal/signal"
)

// Event is one line of what the client does, for scripts and tests: `visavis … --events FILE`. The names in Event are
// signed-in, sign-in-failed, online, offline, dialing, incoming, ringing, prepared, accepted, connected, reconnecting,
// first-remote-frame, first-remote-audio, stats, picture-paused, picture-resumed, ended, notice, untrusted. Prepared: a
// connection that was made while it rings stands. Picture-paused is about the own one: the line is too slow for it.
type Event struct {
	Time    time.Time        `json:"time"`
	Event   string           `json:"event"`
	User    string           `json:"user,omitempty"` // name: oneself on signed-in, else the other
	CallID  string           `json:"callId,omitempty"`
	Reason  signal.EndReason `json:"reason,omitempty"` // ended
	Text    string           `json:"text,omitempty"`   // for people: notice, offline, sign-in-failed, ended
	Video   bool             `json:"video,omitempty"`  // incoming, accepted: the other means to send a picture
	Early   bool             `json:"early,omitempty"`  // incoming: a connection is made while it rings; prepared says when it stands
	Path    signal.Path      `json:"path,omitempty"`   // connected, stats
	Width   int              `json:"width,omitempty"`  // first-remote-frame, in pixels
	Height  int              `json:"height,omitempty"`
	SetupMs int64            `json:"setupMs,omitempty"` // first-remote-…: since the call was accepted
	Seconds float64          `json:"seconds,omitempty"` // ended: how long media flowed

	Server      string `json:"server,omitempty"`      // untrusted: HOST:PORT
	Fingerprint string `json:"fingerprint,omitempty"` // untrusted: of the certificate that the server shows
	Changed     bool   `json:"changed,omitempty"`     // untrusted: it should have another

	*Stats // stats: its fields are in the same object
}

// Stats are a second's measurements, under the names of W3C webrtc-stats where it has one. What is not said to be sent is
// about what was received. The call's totals follow in the same object; Report has all of it, stream by stream, as a
// browser's getStats would list it.
type Stats struct {
	FramesPerSecond      float64 `json:"framesPerSecond"`
	FrameWidth           int     `json:"frameWidth"` // pixels
	FrameHeight          int     `json:"frameHeight"`
	ReceiveKbps          int     `json:"receiveKbps"`
	LossPercent          float64 `json:"lossPercent"` // before repair
	SendFramesPerSecond  float64 `json:"sendFramesPerSecond"`
	SendFrameWidth       int     `json:"sendFrameWidth"`
	SendFrameHeight      int     `json:"sendFrameHeight"`
	SendKbps             int     `json:"sendKbps"`
	CurrentRoundTripTime float64 `json:"currentRoundTripTime"` // seconds
	Codec                string  `json:"codec,omitempty"`      // of the picture
	report.Totals
	Report []any `json:"report"`
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

func statsOf(q Quality, r *report.Report) *Stats {
	return &Stats{
		FramesPerSecond: q.ReceiveFPS, FrameWidth: q.ReceiveSize[0], FrameHeight: q.ReceiveSize[1],
		ReceiveKbps: q.ReceiveKbps, LossPercent: q.LossPercent,
		SendFramesPerSecond: q.SendFPS, SendFrameWidth: q.SendSize[0], SendFrameHeight: q.SendSize[1], SendKbps: q.SendKbps,
		CurrentRoundTripTime: q.RTT.Seconds(), Codec: q.VideoCodec,
		Totals: r.Totals(), Report: r.Objects(),
	}
}
