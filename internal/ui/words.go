package ui

import (
	"fmt"
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

// endWords says how a call ended: a title, and a second line that may be empty.
func endWords(c app.Call) (title, more string) {
	who := nameOf(c.Peer)
	if c.Outgoing {
		switch signal.EndReason(c.Reason) {
		case signal.EndDeclined:
			return who + " declined the call", ""
		case signal.EndCancelled:
			return "You cancelled the call", ""
		case signal.EndNoAnswer:
			return who + " did not answer", "It rang until the time was up. You can leave a message."
		case signal.EndBusy:
			return who + " is in another call", "Try again later, or leave a message."
		case signal.EndOffline:
			return who + " is not online", "None of their devices could be reached. You can leave a message."
		}
	}
	switch signal.EndReason(c.Reason) {
	case signal.EndHangup:
		if c.Lasted > 0 {
			return "Call ended", "You talked for " + lasted(c.Lasted) + "."
		}
		return "Call ended", "It ended before sound or picture came through."
	case signal.EndDeclined:
		return "You declined the call", ""
	case signal.EndCancelled, signal.EndNoAnswer:
		return "You missed a call from " + who, ""
	case signal.EndAnsweredElsewhere:
		return "Answered on another device", ""
	case signal.EndDeclinedElsewhere:
		return "Declined on another device", ""
	case signal.EndPeerGone:
		return "Lost " + who, "Their device vanished and did not come back." + after(c)
	case signal.EndConnectionFailed:
		if c.Lasted > 0 {
			return "The connection was lost", "It could not be brought back." + after(c)
		}
		return "No connection could be made", "No way was found between the two devices, not even through the server's relay."
	case signal.EndServerLost:
		return "The server cannot be reached", "Check your network and try again."
	case signal.EndServerStopped:
		return "The server was stopped", "Try again in a moment."
	}
	return "The call could not be made", problem(c.Reason)
}

func after(c app.Call) string {
	if c.Lasted == 0 {
		return ""
	}
	return " You had talked for " + lasted(c.Lasted) + "."
}

// problem gives words for an error code that ended a call instead of an end reason.
func problem(code string) string {
	switch code {
	case signal.ErrNotFound:
		return "The server does not know this person any more."
	case signal.ErrAlreadyInCall:
		return "You already have a call."
	case signal.ErrTooMany:
		return "Too many calls in a short time. Wait a moment."
	case signal.ErrUnauthorized, signal.ErrNotConnected:
		return "You are not signed in any more."
	}
	return "The server refused it."
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
		return "On the phone now"
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
	case signal.EndCancelled:
		return "Cancelled " + kind
	case signal.EndServerStopped, signal.EndConnectionFailed, signal.EndPeerGone:
		return "Did not connect"
	}
	return title(kind)
}

// recordEnd says in a sentence why a recorded call ended.
func recordEnd(r signal.CallRecord) string {
	who := nameOf(r.Peer)
	by := "You"
	if r.EndedBy == r.Peer.ID {
		by = who
	}
	switch r.Reason {
	case "":
		return "It goes on"
	case signal.EndHangup:
		return by + " hung up"
	case signal.EndDeclined:
		if r.Direction == signal.Incoming {
			return "You declined it"
		}
		return who + " declined it"
	case signal.EndCancelled:
		if r.Direction == signal.Incoming {
			return who + " gave up before you answered"
		}
		return "You cancelled it"
	case signal.EndBusy:
		if r.Direction == signal.Incoming {
			return "You were in another call"
		}
		return who + " was in another call"
	case signal.EndNoAnswer:
		if r.Direction == signal.Incoming {
			return "You did not answer"
		}
		return who + " did not answer"
	case signal.EndOffline:
		if r.Direction == signal.Incoming {
			return "You were not online"
		}
		return who + " was not online"
	case signal.EndPeerGone:
		return "A device vanished from the network"
	case signal.EndConnectionFailed:
		return "The connection failed"
	case signal.EndServerStopped, signal.EndServerLost:
		return "The server was stopped"
	case signal.EndAnsweredElsewhere:
		return "Answered on another device"
	case signal.EndDeclinedElsewhere:
		return "Declined on another device"
	}
	return string(r.Reason)
}

func title(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// nameOf gives what to call a person.
func nameOf(u signal.User) string {
	switch {
	case u.Name != "":
		return u.Name
	case u.Kind == signal.KindEcho:
		return "Echo"
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
