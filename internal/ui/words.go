package ui

import (
	"fmt"
	"strings"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// clock gives a call's timer: 00:07, 12:44, 1:02:09.
func clock(d time.Duration) string {
	s := max(int(d/time.Second), 0)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// lasted gives a length for reading: 8 s, 12 min 44 s, 1 h 2 min.
func lasted(d time.Duration) string {
	s := max(int((d+time.Second/2)/time.Second), 0)
	switch {
	case s >= 3600:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	case s >= 60 && s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	case s >= 60:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d s", s)
}

// day gives the heading of a day of chat.
func day(t, now time.Time) string {
	t = t.Local()
	switch {
	case sameDay(t, now):
		return "Today"
	case sameDay(t, now.AddDate(0, 0, -1)):
		return "Yesterday"
	case t.Year() == now.Year():
		return t.Format("Monday, 2 January")
	}
	return t.Format("2 January 2006")
}

// when gives a moment in the list of calls.
func when(t, now time.Time) string {
	t = t.Local()
	switch {
	case sameDay(t, now):
		return t.Format("15:04")
	case sameDay(t, now.AddDate(0, 0, -1)):
		return t.Format("Yesterday 15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

func sameDay(a, b time.Time) bool {
	a, b = a.Local(), b.Local()
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// endWords says how a call ended: a title, and a second line that may be empty. The words are app's; what can be done now
// is ours.
func endWords(c app.Call) (title, more string) {
	title, more = sentences(app.EndText(c.Reason, c.Outgoing, nameOf(c.Peer)))
	switch signal.EndReason(c.Reason) {
	case signal.EndNoAnswer, signal.EndBusy, signal.EndOffline, signal.EndDoNotDisturb:
		if c.Outgoing {
			more = "You can leave a message, or try again later."
		}
	case signal.EndServerLost:
		more = "Check your network and try again."
	case signal.EndHangup:
		if c.Lasted == 0 {
			more = "It ended before sound or picture came through."
		}
	case signal.EndDeclined, signal.EndCancelled, signal.EndAnsweredElsewhere, signal.EndDeclinedElsewhere, signal.EndPeerGone,
		signal.EndConnectionFailed, signal.EndServerStopped:
	}
	if c.Lasted > 0 {
		more = strings.TrimSpace(more + " You talked for " + lasted(c.Lasted) + ".")
	}
	return title, more
}

// sentences splits the first sentence off as a title, without its full stop.
func sentences(s string) (title, more string) {
	title, more, _ = strings.Cut(s, ". ")
	return strings.TrimSuffix(title, "."), more
}

// callState is the second thing in the pill at the top of a call.
func callState(c app.Call, now time.Time) string {
	switch c.Phase {
	case call.Dialing:
		return "Calling…"
	case call.RingingOut:
		if c.Ringing > 1 {
			return fmt.Sprintf("Ringing on %d devices…", c.Ringing)
		}
		return "Ringing…"
	case call.Accepting, call.Connecting:
		return "Connecting…"
	case call.Reconnecting:
		return "Reconnecting…"
	case call.Active:
		if c.Since.IsZero() {
			return "Connecting…"
		}
		return clock(now.Sub(c.Since))
	case call.Incoming:
		return "Incoming call"
	case call.Idle, call.Ended:
	}
	return ""
}

// recordWords gives a call of the list in a few words.
func recordWords(r signal.CallRecord) string {
	kind := "call"
	if r.Video {
		kind = "video call"
	}
	switch {
	case r.Missed:
		return "Missed " + kind
	case r.Accepted != nil && r.Ended == nil:
		return "Going on now"
	case r.Accepted != nil:
		return title(kind) + ", " + lasted(time.Duration(r.Seconds*float64(time.Second)))
	}
	switch r.Reason {
	case signal.EndDeclined:
		if r.Direction == signal.Incoming {
			return "You declined"
		}
		return "Declined"
	case signal.EndBusy:
		return "Busy"
	case signal.EndNoAnswer:
		return "No answer"
	case signal.EndOffline:
		return "Was not online"
	case signal.EndDoNotDisturb:
		return "Do not disturb"
	case signal.EndCancelled:
		return "Cancelled " + kind
	case signal.EndServerStopped, signal.EndConnectionFailed, signal.EndPeerGone:
		return "Did not connect"
	}
	return title(kind)
}

// recordEnd says in a sentence why a recorded call ended.
func recordEnd(r signal.CallRecord) string {
	switch {
	case r.Reason == "":
		return "It goes on"
	case r.Reason == signal.EndHangup && r.EndedBy == r.Peer.ID:
		return nameOf(r.Peer) + " hung up"
	case r.Reason == signal.EndHangup && r.EndedBy != "":
		return "You hung up"
	}
	return strings.TrimSuffix(app.EndText(r.Reason, r.Direction == signal.Outgoing, nameOf(r.Peer)), ".")
}

func title(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// presenceWords says in a word or two where a person is.
func presenceWords(u signal.User) string {
	switch {
	case u.Online && u.DND:
		return "Do not disturb"
	case u.Online:
		return "Online"
	}
	return "Offline"
}

// selfWords says the same of oneself.
func selfWords(s app.Snapshot, now time.Time) string {
	switch {
	case s.Link != app.Online:
		return "Connecting…"
	case s.Self.DND && !s.Account.DNDUntil.IsZero():
		return "Do not disturb until " + moment(s.Account.DNDUntil, now)
	case s.Self.DND:
		return "Do not disturb"
	}
	return "Online at " + placeOf(s.Server)
}

// placeOf gives a server's address as people say it.
func placeOf(server string) string {
	place, _, _ := strings.Cut(strings.TrimPrefix(server, "https://"), "#")
	return strings.TrimSuffix(place, "/")
}

// moment gives a time to come: 14:05, tomorrow at 08:00, 2 January.
func moment(t, now time.Time) string {
	t = t.Local()
	switch {
	case sameDay(t, now):
		return t.Format("15:04")
	case sameDay(t, now.AddDate(0, 0, 1)):
		return t.Format("tomorrow at 15:04")
	case t.Year() == now.Year():
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

// lastUsed says when a device was last there. The server counts in hours.
func lastUsed(t, now time.Time) string {
	switch {
	case now.Sub(t) < 2*time.Hour:
		return "Active lately"
	case sameDay(t, now):
		return "Last active today"
	case sameDay(t, now.AddDate(0, 0, -1)):
		return "Last active yesterday"
	}
	return "Last active on " + t.Local().Format("2 January 2006")
}

// nameOf gives what to call a person.
func nameOf(u signal.User) string {
	switch {
	case u.Name != "":
		return u.Name
	case u.Kind == signal.KindEcho:
		return "Echo"
	case u.Kind == signal.KindDeleted:
		return "Deleted account"
	}
	return "Somebody"
}

// iconOf gives the drawing that stands for a contact instead of initials.
func iconOf(u signal.User) string {
	if u.Kind == signal.KindEcho {
		return "echo"
	}
	return ""
}

// plural gives a number with the right form of a word.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
