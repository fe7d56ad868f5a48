package call

// End reasons this machine says by itself; the words are those of package signal.
const (
	reasonHangup     = "hangup"
	reasonDeclined   = "declined"
	reasonCancelled  = "cancelled"
	reasonBusy       = "busy"
	reasonNoAnswer   = "no_answer"
	reasonFailed     = "connection_failed"
	reasonServerLost = "server_lost"
)

// Next gives the state after e and what to do. An event that does not fit the phase or the call id changes nothing.
func Next(s State, e Event) (State, []Effect) {
	switch e := e.(type) {
	case Dial:
		return dial(s, e)
	case GotInvite:
		return gotInvite(s, e)
	case Dismiss:
		if s.Phase == Ended {
			return State{}, nil
		}
		return s, nil
	case Accept, Decline, Hangup:
		return person(s, e)
	case PeerUp, PeerDown, PeerFailed:
		return media(s, e)
	case Timeout:
		if e.ID == s.ID {
			return timeout(s)
		}
		return s, nil
	}
	return server(s, e)
}

func dial(s State, e Dial) (State, []Effect) {
	if s.Live() {
		return s, nil
	}
	s = State{Phase: Dialing, ID: e.ID, PeerID: e.PeerID, Outgoing: true, Video: e.Video}
	return s, []Effect{StartTimer{RingTimeout}, SendInvite(e)}
}

func gotInvite(s State, e GotInvite) (State, []Effect) {
	if s.Live() {
		if e.ID == s.ID {
			return s, nil // said again after a reconnect
		}
		return s, []Effect{SendReject{e.ID, reasonBusy}}
	}
	s = State{Phase: Incoming, ID: e.ID, PeerID: e.PeerID}
	return s, []Effect{StartTimer{RingTimeout}, SendRinging{e.ID}, Ring{Incoming: true}}
}

func person(s State, e Event) (State, []Effect) {
	switch e := e.(type) {
	case Accept:
		if s.Phase == Incoming {
			s.Phase, s.Video = Accepting, e.Video
			return s, []Effect{Quiet{}, StartTimer{ConnectTimeout}, SendAccept{s.ID, e.Video}}
		}
	case Decline:
		if s.Phase == Incoming {
			return end(s, reasonDeclined, SendReject{s.ID, reasonDeclined})
		}
	case Hangup:
		switch s.Phase {
		case Dialing, RingingOut:
			return end(s, reasonCancelled, SendCancel{s.ID})
		case Incoming:
			return end(s, reasonDeclined, SendReject{s.ID, reasonDeclined})
		case Accepting, Connecting, Active, Reconnecting:
			return end(s, reasonHangup, SendHangup{s.ID, reasonHangup})
		case Idle, Ended:
		}
	}
	return s, nil
}

func server(s State, e Event) (State, []Effect) {
	if !s.Live() {
		return s, nil
	}
	switch e := e.(type) {
	case GotRinging:
		if e.ID == s.ID && s.Phase == Dialing {
			s.Phase = RingingOut
			return s, []Effect{Ring{Incoming: false}}
		}
	case GotAccepted:
		if e.ID == s.ID && (s.Phase == Dialing || s.Phase == RingingOut) {
			s.Phase = Connecting
			return s, []Effect{Quiet{}, StartTimer{ConnectTimeout}, OpenPeer{s.ID, true}}
		}
	case AcceptOK:
		if e.ID == s.ID && s.Phase == Accepting {
			s.Phase = Connecting
			return s, []Effect{StartTimer{ConnectTimeout}, OpenPeer{s.ID, false}}
		}
	case Merged:
		if e.ID == s.ID && (s.Phase == Dialing || s.Phase == RingingOut) {
			s.Phase, s.ID, s.Outgoing = Connecting, e.Into, false
			return s, []Effect{Quiet{}, StartTimer{ConnectTimeout}, OpenPeer{s.ID, false}}
		}
	case Refused:
		if e.ID == s.ID && (s.Phase == Dialing || s.Phase == Accepting) {
			return end(s, e.Reason, nil)
		}
	case GotEnded:
		if e.ID == s.ID {
			return end(s, e.Reason, nil)
		}
	}
	return s, nil
}

func media(s State, e Event) (State, []Effect) {
	if !s.HasPeer() {
		return s, nil
	}
	switch e := e.(type) {
	case PeerUp:
		if e.ID == s.ID && s.Phase != Active {
			s.Phase = Active
			return s, []Effect{StopTimer{}}
		}
	case PeerDown:
		if e.ID == s.ID && s.Phase == Active {
			s.Phase = Reconnecting
			return s, []Effect{StartTimer{ReconnectLimit}}
		}
	case PeerFailed:
		if e.ID == s.ID {
			return end(s, reasonFailed, SendHangup{s.ID, reasonFailed})
		}
	}
	return s, nil
}

func timeout(s State) (State, []Effect) {
	switch s.Phase {
	case Dialing:
		return end(s, reasonServerLost, SendCancel{s.ID})
	case RingingOut:
		return end(s, reasonNoAnswer, SendCancel{s.ID})
	case Incoming:
		return end(s, reasonNoAnswer, nil)
	case Accepting:
		return end(s, reasonServerLost, SendHangup{s.ID, reasonFailed})
	case Connecting, Reconnecting:
		return end(s, reasonFailed, SendHangup{s.ID, reasonFailed})
	case Idle, Active, Ended:
	}
	return s, nil
}

// end leaves the call: tell is sent first (nil: nobody needs to be told), then all that the call held is let go.
func end(s State, reason string, tell Effect) (State, []Effect) {
	var do []Effect
	if tell != nil {
		do = append(do, tell)
	}
	do = append(do, StopTimer{}, Quiet{})
	if s.HasPeer() {
		do = append(do, ClosePeer{s.ID})
	}
	s.Phase, s.Reason = Ended, reason
	return s, do
}
