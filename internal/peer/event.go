package peer

import (
	"time"

	"visavis.example/internal/report"
)

// Event is something a Session has to say. Events come in order, from one goroutine, and none after Close returned.
type Event interface{ isEvent() }

// Events. Offer, Answer and LocalCandidate are to be sent to the other party; the rest is news.
type (
	// Offer comes after Start when we are the Offerer, and again when the path was lost and is sought anew (ICE
	// restart, RFC 8445 section 2.4).
	Offer struct{ SDP string }
	// Answer follows a GotOffer.
	Answer struct{ SDP string }
	// LocalCandidate is a way to reach us.
	LocalCandidate struct{ Candidate }
	// Connected: media flows. Said again when the connection came back or when it moved between a direct path and a
	// relay.
	Connected struct{ Relay bool }
	// Disconnected: nothing heard for some seconds; it may come back.
	Disconnected struct{}
	// RestartWanted: the Offerer is to be asked for another path, by Restart.
	RestartWanted struct{}
	// Failed: it will not come back, or never came to be. Why is for people. The last event but Stats.
	Failed struct{ Why string }
	// FirstVideo: the first remote picture was handed to the Video sink.
	FirstVideo struct{ Width, Height int }
	// FirstAudio: the first remote sound was handed to the speaker.
	FirstAudio struct{}
	// VideoPaused: the line has become too slow for our pictures, or carries them again.
	VideoPaused struct{ On bool }
	// DataOpen: texts can be said over the data channel. It never comes where the other does not know of it.
	DataOpen struct{}
	// Heard: the other has said a text of at most MaxSay bytes over the data channel. What it says is not to be trusted.
	Heard struct{ Text string }
	// DeviceFailed: a source or sink could not be started; it was closed and the call goes on without it.
	DeviceFailed struct {
		Device Device
		Label  string
		Err    error
	}
)

// Device says what DeviceFailed is about.
type Device string

// Devices.
const (
	Camera     Device = "camera"
	Microphone Device = "microphone"
	Speaker    Device = "speaker"
)

// Stats comes each second while connected. Rates are over the last second, losses over the last few.
type Stats struct {
	At    time.Time
	Relay bool
	RTT   time.Duration // zero: not known yet

	LossPercent     float64 // of what we should have received, before repair
	SendLossPercent float64 // of what we sent, as the other reports it

	SendKbps, ReceiveKbps int
	TargetKbps            int // what the estimator allows for sending in all
	Line                  Line

	SendFPS, ReceiveFPS   float64 // pictures encoded, pictures shown
	SendSize, ReceiveSize [2]int
	SendCodec             string // "vp8", "vp9", empty before the first picture
	ReceiveCodec          string
	EncodeTime            time.Duration // a picture, smoothed
	DecodeTime            time.Duration
	SendSpeed             int // the encoder's effort, as package vpx counts it

	KeyFramesSent      int // totals from here on
	KeyFramesRequested int
	FramesDropped      int // received and never shown: too late, or their reference was lost
	PacketsRepaired    int // received only after asking again
	AudioConcealed     int // 20 ms packets of sound that had to be made up
	DataRefused        int // texts and channels beside the media that were not taken

	Report report.Report // the whole of it
}

// Line is what the estimator knows of the line that we send on.
type Line struct {
	TargetBps       int           // allowed in all
	ThroughBps      int           // what arrived over the last half second
	CapacityBps     int           // what it carried when it was last found full; 0: it was not
	Queue           time.Duration // packets' wait in the line's queue
	Loss, EverLoss  float64       // of the last second, 0 to 1; what it loses at any rate
	InFlight        int64         // bytes that feedback has not spoken of yet
	Window          int64         // how many that may be; 0: any number
	Why             string        // the target's last change, for people
	ResentPackets   int64         // totals from here on
	RefusedRequests int64         // for retransmissions beyond the budget, too old or unknown
	PaddingBytes    int64
	ForeignStatuses int64 // feedback's words about packets that were never sent
	PicturesThrown  int64 // away instead of being sent late
}

func (Offer) isEvent()          {}
func (Answer) isEvent()         {}
func (LocalCandidate) isEvent() {}
func (Connected) isEvent()      {}
func (Disconnected) isEvent()   {}
func (RestartWanted) isEvent()  {}
func (Failed) isEvent()         {}
func (FirstVideo) isEvent()     {}
func (FirstAudio) isEvent()     {}
func (VideoPaused) isEvent()    {}
func (DataOpen) isEvent()       {}
func (Heard) isEvent()          {}
func (DeviceFailed) isEvent()   {}
func (Stats) isEvent()          {}
