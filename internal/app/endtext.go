package app

import "visavis.example/internal/signal"

// EndText says in plain words how a call ended: outgoing tells who dialled, peer is the other's name. It is the one place
// for these words; reason is a signal.EndReason or the string of it in call.State.
func EndText[R ~string](reason R, outgoing bool, peer string) string {
	if peer == "" {
		peer = "The other side"
	}
	switch string(reason) {
	case string(signal.EndHangup):
		return "The call has ended."
	case string(signal.EndDeclined):
		if outgoing {
			return peer + " declined the call."
		}
		return "You declined the call."
	case string(signal.EndCancelled):
		if outgoing {
			return "You cancelled the call."
		}
		return peer + " gave up before you answered."
	case string(signal.EndBusy):
		if outgoing {
			return peer + " is in another call."
		}
		return peer + " called while you were in another call."
	case string(signal.EndNoAnswer):
		if outgoing {
			return peer + " did not answer."
		}
		return "You missed a call from " + peer + "."
	case string(signal.EndOffline):
		if outgoing {
			return peer + " is not online."
		}
		return peer + " called while you were offline."
	case string(signal.EndDoNotDisturb):
		if outgoing {
			return peer + " does not want to be disturbed."
		}
		return peer + " called while you did not want to be disturbed."
	case string(signal.EndAnsweredElsewhere):
		return "You answered on another device."
	case string(signal.EndDeclinedElsewhere):
		return "You declined on another device."
	case string(signal.EndPeerGone):
		return "The connection to " + peer + " was lost: their device is gone."
	case string(signal.EndConnectionFailed):
		return "No connection to " + peer + " could be made or kept. A firewall or a weak network may be in the way."
	case string(signal.EndServerLost):
		return "The server could not be reached."
	case string(signal.EndServerStopped):
		return "The server was shut down."
	case signal.ErrAlreadyInCall:
		return "You are in a call on another device."
	case signal.ErrBlocked:
		return "You have blocked " + peer + "."
	case signal.ErrNotFound:
		return "There is nobody of that name on this server."
	case signal.ErrTooMany:
		return "Too many calls in a short time. Please wait a little."
	case "":
		return ""
	}
	return "The server refused the call (" + string(reason) + ")."
}
