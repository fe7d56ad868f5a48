// Package app is the client without a window: one loop owns all state of the program, takes commands (App's methods),
// and publishes Snapshots. It runs the call machine of package call, talks to the server through a Signaler and to media
// through Media, both declared here, so that it is tested without network, C or a display. The window (package ui), the
// windowless commands and the tests are three users of the same App. It never draws and never touches a device.
package app

import (
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// Link is the state of the connection to the server.
type Link uint8

// Links.
const (
	SignedOut  Link = iota // no session: the sign-in page
	Connecting             // a session, and no socket yet or no more; tried again by itself
	Online
)

// Snapshot is everything a view may draw. It is a value: the loop never changes one it has handed out, and its slices
// and maps are not written again.
type Snapshot struct {
	Server   string // the address as typed
	Link     Link
	LinkNote string // for people: why it is not online; empty when it is
	Self     signal.User

	// SigningIn is true while a sign-in or sign-up runs; SignInError is the last one's failure in words.
	SigningIn   bool
	SignInError string
	Door        Door // of the server last looked up, for signing up

	// Untrusted is a server's certificate that the person has to judge: App.Trust answers. nil: none. Changed ones deserve
	// a loud warning.
	Untrusted *signal.Untrusted

	Account Account

	People []Person // sorted: online first, then by name, the blocked last; without Self
	Call   Call     // Call.Phase is call.Idle when there is none

	Lobby       []Line            // oldest first
	LobbyUnread int               // lines of it not yet seen
	Chats       map[string][]Line // by user id

	Calls       []signal.CallRecord // newest first
	CallsMore   bool
	CallsLoaded bool               // the server has said which there are, be it none
	CallDetails *signal.CallRecord // of the last ShowCall

	Notices []string // for people: what is missing ("No camera found"), newest last, at most 3

	Settings Settings
	Devices  Devices
}

// Person is somebody on the roster.
type Person struct {
	signal.User
	Unread  int  // chat lines not yet seen
	Blocked bool // by Self
}

// Line is one line of chat.
type Line struct {
	signal.ChatMessage
	Mine    bool
	Pending bool // sent and not yet acknowledged
	Failed  bool // was not accepted; Text is kept so that nothing is lost
}

// Call is the current call or the one that has just ended.
type Call struct {
	call.State
	Peer      signal.User
	Since     time.Time     // when media first flowed; zero before
	Lasted    time.Duration // Ended: how long media flowed
	Ringing   int           // devices that ring at the other end
	PeerVideo bool          // the other means to send a picture

	Microphone bool // our switches
	Camera     bool
	Screen     bool
	Paused     bool         // the line is too slow for our picture
	Peers      signal.Media // the other's switches

	Quality Quality
}

// Quality is what the person may want to know about the connection.
type Quality struct {
	Path        signal.Path
	RTT         time.Duration
	LossPercent float64 // of what we should have received, last seconds
	SendKbps    int
	ReceiveKbps int
	SendFPS     float64
	ReceiveFPS  float64
	SendSize    [2]int
	ReceiveSize [2]int
	VideoCodec  string
}

// Settings are what the person chose; app keeps them as JSON in the user's configuration folder. Empty device names mean
// the system's default, "none" no device at all.
type Settings struct {
	Server     string `json:"server"`
	Name       string `json:"name"` // who signed in last; the password is never kept
	Camera     string `json:"camera"`
	Microphone string `json:"microphone"`
	Speaker    string `json:"speaker"`
	Theme      string `json:"theme"` // "", "light", "dark"

	// What is done to the own voice before it is sent. Not in files of older programs: see DefaultSettings.
	EchoCancellation bool `json:"echoCancellation"`
	NoiseSuppression bool `json:"noiseSuppression"`
	GainControl      bool `json:"gainControl"`
}

// DefaultSettings are those of somebody who chose nothing yet.
func DefaultSettings() Settings {
	return Settings{EchoCancellation: true, NoiseSuppression: true, GainControl: true}
}

// Devices lists what can be chosen, by the names that people know.
type Devices struct {
	Cameras, Screens, Microphones, Speakers []string
}
