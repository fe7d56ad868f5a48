package app

import (
	"context"
	"time"

	"visavis.example/internal/report"
	"visavis.example/internal/signal"
)

// Signaler is the connection to the server; *signal.Client is the real one.
type Signaler interface {
	// Events gives connection changes, pushes and replies in order; it is closed when the client has ended. One reader.
	Events() <-chan signal.Event
	// Send queues one message without waiting, in order; its reply comes as an Event with the same RequestID.
	Send(e signal.Envelope) error
	NetworkChanged() // find out at once whether the connection still stands
	Hurry()          // try again now, if it waits between two tries
	Close()
}

// Accounts is the HTTPS side of a server; *signal.API is the real one.
type Accounts interface {
	Info(ctx context.Context) (signal.Info, error)
	CheckInvite(ctx context.Context, invite string) (signal.InviteIsGood, error)
	Register(ctx context.Context, r signal.Register) (signal.SignedIn, error)
	Login(ctx context.Context, r signal.Register) (signal.SignedIn, error)
	Logout(ctx context.Context, token string) error
	Calls(ctx context.Context, token, before string, limit int) (signal.Calls, error)
	Call(ctx context.Context, token, id string) (signal.CallRecord, error)
	Own
}

// Dialer reaches servers.
type Dialer interface {
	// Accounts checks the address (HOST:PORT, https://… or, on loopback only, http://…) and gives its HTTPS side.
	Accounts(server string) (Accounts, error)
	// Reach finds the place that is meant by a name without a port; anything else is given back. It asks the network.
	Reach(ctx context.Context, server string) string
	// Connect starts a Signaler that connects, and reconnects until closed.
	Connect(server, token string, c signal.Connect) (Signaler, error)
	// Trust keeps a certificate's fingerprint as that server's from now on.
	Trust(server, fingerprint string) error
}

// Secrets keeps the session token: the system's keyring, or a file with mode 0600 where there is none.
type Secrets interface {
	Get(server, name string) (token string, err error)
	Set(server, name, token string) error
	Delete(server, name string) error
}

// Media makes media connections and knows devices; cmd/client wires packages peer and media into one.
type Media interface {
	// Open makes the connection for one call and opens its devices. A missing camera or microphone is no error but a
	// MediaNotice. post is called from any goroutine and never blocks.
	Open(c MediaConfig, post func(MediaEvent)) (Peer, error)
	Devices() Devices
	// Ring plays the ringtone (incoming) or ringback until Quiet; Quiet may be called at any time. Neither waits for a
	// device.
	Ring(incoming bool, s Settings)
	Quiet()
	// Close ends what still sounds; every goroutine has ended when it returns.
	Close()
}

// MediaConfig is what one call's media needs to know.
type MediaConfig struct {
	CallID     string
	Offerer    bool // we make the offer
	ICEServers []signal.ICEServer
	RelayOnly  bool
	Held       bool // connect over relays only, without media, until Peer.Release
	Devices    bool // Held: open the devices all the same
	Microphone bool // switches as they are at the start
	Camera     bool
	Settings   Settings
}

// Peer is one call's media connection. None of its methods waits for the network.
type Peer interface {
	GotOffer(sdp string) // answers by a MediaAnswer event
	GotAnswer(sdp string)
	GotCandidate(signal.Candidate)
	Release(microphone, camera bool)  // ends Held, with the switches as they are then
	Restart(asked bool)               // the server answers: seek another path if there is none, or if the other has asked
	NetworkChanged(slept bool)        // of this machine
	SetICEServers([]signal.ICEServer) // for the next path that is sought
	Say(text string) bool             // to the other's program, over the data channel; false: there is none
	SetMicrophone(on bool)
	SetCamera(on bool)     // off closes the device: its light goes out
	SetScreen(name string) // "" goes back to the camera
	SetDevices(s Settings) // changes to other devices; those that stay the same are left alone
	// Close lets go of network and devices; every goroutine has ended when it returns. May take up to a second: the
	// app calls it from a goroutine of its own.
	Close()
}

// MediaEvent is something a Peer has to say.
type MediaEvent interface{ isMediaEvent() }

// Media events.
type (
	LocalOffer     struct{ SDP string } // this and the next two are to be sent to the other; the rest is news
	LocalAnswer    struct{ SDP string }
	LocalCandidate struct{ signal.Candidate }
	MediaUp        struct{ Path signal.Path } // connected; said again when the path changes
	MediaDown      struct{}                   // lost, may come back
	RestartWanted  struct{}                   // to be sent to the other: it should offer another path
	MediaFailed    struct{ Why string }
	FirstVideo     struct{ Width, Height int } // first remote picture shown
	FirstAudio     struct{}                    // first remote sound played
	MediaStats     struct {
		Quality
		At     time.Time
		Report report.Report
	}
	VideoPaused struct{ On bool }     // the line is too slow for our picture, or carries it again
	DataOpen    struct{}              // what is said by Peer.Say arrives
	Heard       struct{ Text string } // what the other said so; not to be trusted
	MediaNotice struct{ Text string } // for people: "No camera found"
	// MediaLacks says that a switch is on with no device behind it: the app turns it off, so that the other is not told
	// of a picture or a sound that will not come. A MediaNotice says why.
	MediaLacks struct{ Camera, Microphone, Screen bool }
)

func (LocalOffer) isMediaEvent()     {}
func (LocalAnswer) isMediaEvent()    {}
func (LocalCandidate) isMediaEvent() {}
func (MediaUp) isMediaEvent()        {}
func (VideoPaused) isMediaEvent()    {}
func (DataOpen) isMediaEvent()       {}
func (Heard) isMediaEvent()          {}
func (MediaDown) isMediaEvent()      {}
func (RestartWanted) isMediaEvent()  {}
func (MediaFailed) isMediaEvent()    {}
func (FirstVideo) isMediaEvent()     {}
func (FirstAudio) isMediaEvent()     {}
func (MediaStats) isMediaEvent()     {}
func (MediaNotice) isMediaEvent()    {}
func (MediaLacks) isMediaEvent()     {}
