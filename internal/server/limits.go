package server

import (
	"flag"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/door"
	"visavis.example/internal/server/echo"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/server/relay"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// Limits are all numbers that bound what strangers, and people gone astray, can make this server do. A zero field takes
// its default. What the protocol itself fixes (the size of a message, the length of a name) is in package signal, because
// both sides have to agree on it. Config.ReturnWithin is not here either: it bounds nobody, it is when devices are asked to
// come back.
//
// To add one: a field here, its line in List, its line in docs/operating.md; a test misses whichever is forgotten.
type Limits struct {
	Accounts accounts.Limits

	Undecided   int           // connections that have not said yet what they want
	HeaderWait  time.Duration // for a TLS handshake, and for the headers of a request
	BodyWait    time.Duration // for a whole request
	ReplyWait   time.Duration // until a reply must have been taken
	IdleWait    time.Duration // between two requests
	HeaderBytes int
	BodyBytes   int

	SocketsPerPerson int
	HelloWait        time.Duration // for User/Connect
	Messages         limit.Rate    // of one socket
	Strikes          int           // messages over that before a socket is closed
	OwedBytes        int           // what a slow reader may be behind
	OwedMessages     int
	WriteWait        time.Duration // for one message

	ResumeMessages int           // kept of a session until its device has them
	ResumeBytes    int           // in them
	ResumeWait     time.Duration // after a cut
	Linger         time.Duration // as online, after a cut

	Invites      limit.Rate // calls of one person to one other that are not accepted
	Calls        limit.Rate // calls of one person to whomever that are not accepted
	Chat         limit.Rate // lines of one person
	EchoCalls    int        // at the same time
	JournalQueue int        // chat lines that wait for the disk

	RelayLife time.Duration // of what a device is given for the relay
	Relay     relay.Limits
}

// Limit is one of the limits as an operator sees it: limit-NAME in the configuration.
type Limit struct {
	Name  string
	Doc   string
	Value flag.Value // reads and writes the field; Set refuses what makes no sense
}

const (
	kilobyte = 1 << 10
	megabyte = 1 << 20
)

// List is every limit by name, bound to the fields of l, in the order of the configuration file.
func (l *Limits) List() []Limit {
	all := []bound{
		rate("logins-per-name-and-network", &l.Accounts.LoginPerAccountAndNet, accounts.DefaultLimits.LoginPerAccountAndNet,
			"wrong passwords for one name from one network (an IPv4 /24, an IPv6 /64)"),
		rate("logins-per-name", &l.Accounts.LoginPerAccount, accounts.DefaultLimits.LoginPerAccount,
			"wrong passwords for one name from everywhere together"),
		rate("logins-per-network", &l.Accounts.LoginPerNet, accounts.DefaultLimits.LoginPerNet,
			"sign-ins under any name from one network"),
		rate("sign-ups-per-network", &l.Accounts.RegisterPerNet, accounts.DefaultLimits.RegisterPerNet,
			"new accounts from one network"),
		rate("invite-checks-per-network", &l.Accounts.InvitesPerNet, accounts.DefaultLimits.InvitesPerNet,
			"looks at invites from one network, signing up with one included"),
		rate("requests-per-session", &l.Accounts.RequestsPerSession, accounts.DefaultLimits.RequestsPerSession,
			"requests of one signed-in device, beside its sockets; signing out is never refused"),
		rate("changes-per-person", &l.Accounts.ChangesPerUser, accounts.DefaultLimits.ChangesPerUser,
			"changes of invites, blocks, do-not-disturb and the password by one person"),
		rate("exports-per-person", &l.Accounts.ExportsPerUser, accounts.DefaultLimits.ExportsPerUser, "exports of all data of one person"),
		count("invites-per-person", &l.Accounts.InvitesPerUser, accounts.DefaultLimits.InvitesPerUser, 1, 100_000, "invites of one person that are still good"),
		count("blocks-per-person", &l.Accounts.BlocksPerUser, accounts.DefaultLimits.BlocksPerUser, 1, 100_000, "people whom one person blocks"),
		count("sessions-per-person", &l.Accounts.Sessions, accounts.DefaultLimits.Sessions, 1, 1000,
			"devices signed in as one person; the one unused for longest is signed out"),

		wait("password-wait", &l.Accounts.HashWait, accounts.DefaultLimits.HashWait, 100*time.Millisecond, time.Minute,
			"for a core to check a password with, of which each core does some 20 a second; who waits longer is told to try again"),

		count("undecided", &l.Undecided, door.DefaultMost, 64, 1<<20,
			"connections that have not said yet what they want; of more the longest silent is closed"),
		wait("header-wait", &l.HeaderWait, 5*time.Second, time.Second, time.Minute,
			"for a TLS handshake, and for the headers of a request"),
		wait("body-wait", &l.BodyWait, 10*time.Second, time.Second, 10*time.Minute, "for a whole request"),
		wait("reply-wait", &l.ReplyWait, 30*time.Second, time.Second, 10*time.Minute, "for a reply to be taken"),
		wait("idle-wait", &l.IdleWait, time.Minute, time.Second, time.Hour, "between two requests on one connection"),
		size("header-size", &l.HeaderBytes, 16*kilobyte, 4*kilobyte, megabyte, "of all headers of a request"),
		size("body-size", &l.BodyBytes, 16*kilobyte, 4*kilobyte, megabyte, "of the body of a request"),

		count("sockets-per-person", &l.SocketsPerPerson, 10, 1, 1000, "connected devices of one person"),
		wait("hello-wait", &l.HelloWait, 5*time.Second, time.Second, time.Minute,
			"for a new socket to say which device it is"),
		rate("messages", &l.Messages, limit.Rate{Burst: 200, Every: 20 * time.Millisecond}, "messages of one socket"),
		count("strikes", &l.Strikes, 200, 1, 100_000,
			"messages beyond that rate before the socket is closed; a malformed one counts as 20"),
		size("unread-size", &l.OwedBytes, 2*megabyte, 64*kilobyte, 256*megabyte,
			"of what waits for a device that reads slowly, before its socket is closed"),
		count("unread-messages", &l.OwedMessages, 16*1024, 64, 1<<20, "messages that wait for such a device"),
		wait("write-wait", &l.WriteWait, 10*time.Second, time.Second, time.Minute, "for one message to be taken by a device"),

		count("resume-messages", &l.ResumeMessages, signal.MaxKept, 2*signal.AckEvery, 64*1024,
			"messages kept for a device that is cut off, or has not said yet that it has them; one that misses more begins anew"),
		size("resume-size", &l.ResumeBytes, signal.MaxKeptBytes, 2*signal.MaxMessage, 256*megabyte, "of these messages"),
		wait("resume-wait", &l.ResumeWait, signal.ResumeWithin, time.Second, time.Hour,
			"for a device that is cut off to go on where it was; our own clients ask for that within the first minute only"),
		wait("linger", &l.Linger, hub.DefaultLinger, 100*time.Millisecond, time.Minute, "for which a device that is cut off is still shown as online"),

		rate("call-attempts", &l.Invites, hub.DefaultInvites, "calls of one person to one other that are not accepted"),
		rate("calls-per-person", &l.Calls, hub.DefaultCalls, "calls of one person to all others together that are not accepted"),
		rate("chat-lines", &l.Chat, hub.DefaultChat, "chat lines of one person"),
		count("echo-calls", &l.EchoCalls, echo.DefaultMaxCalls, 1, 1000, "calls to Echo at the same time"),
		count("journal-queue", &l.JournalQueue, store.DefaultQueue, 16, 1<<20,
			"chat lines that wait for the disk; senders of more are told to try again"),

		wait("relay-credentials", &l.RelayLife, hub.DefaultRelayLife, time.Minute, 6*time.Hour,
			"for which a device may make new relayed addresses with what it was given; in a call it is given anew after half of that"),
		count("relay-per-device", &l.Relay.PerDevice, relay.DefaultLimits.PerDevice, 2, 1000, "relayed addresses of one device, for each device it may be connected with"),
		count("relay-per-address", &l.Relay.PerAddress, relay.DefaultLimits.PerAddress, 2, 60_000,
			"relayed addresses, and TCP connections, of one source address"),
		count("relay-connections", &l.Relay.Streams, relay.DefaultLimits.Streams, 16, 1<<20, "TCP connections to the relay"),
		count("relay-refusals", &l.Relay.Refusals, relay.DefaultLimits.Refusals, 1, 10_000,
			"error replies of the relay to one source a second"),
		count("relay-peers", &l.Relay.Peers, relay.DefaultLimits.Peers, 4, 10_000,
			"private addresses that the two sides of one call may name to the relay"),
		count("relay-permissions", &l.Relay.Permissions, relay.DefaultLimits.Permissions, 4, 10_000, "permissions of one relayed address"),
		count("relay-channels", &l.Relay.Channels, relay.DefaultLimits.Channels, 4, 10_000, "channels of one relayed address"),
		bitRate("relay-bandwidth", &l.Relay.BitsPerSecond, relay.DefaultLimits.BitsPerSecond, 100_000, 1_000_000_000,
			"through one relayed address, each way; what is over is dropped"),
	}
	list := make([]Limit, len(all))
	for i, b := range all {
		list[i] = Limit{Name: b.name, Doc: b.doc, Value: b}
	}
	return list
}

// DefaultLimits are what a server has unless it is told otherwise.
func DefaultLimits() Limits {
	var l Limits
	l.fill()
	return l
}

// fill gives zero fields their defaults.
func (l *Limits) fill() {
	for _, i := range l.List() {
		i.Value.(bound).fill() //nolint:forcetypeassert // List makes no other
	}
}
