package call

import (
	"math/rand/v2"
	"testing"
)

// walk feeds events and gives the state and all effects.
func walk(s State, list ...Event) (State, []Effect) {
	var all []Effect
	for _, e := range list {
		var do []Effect
		s, do = Next(s, e)
		all = append(all, do...)
	}
	return s, all
}

func has[T Effect](effects []Effect) (T, bool) {
	for _, e := range effects {
		if v, ok := e.(T); ok {
			return v, true
		}
	}
	var none T
	return none, false
}

func TestCallerSendsOffer(t *testing.T) {
	s, do := walk(State{}, Dial{ID: "a", PeerID: "bob", Video: true}, GotRinging{"a"}, GotAccepted{"a"}, PeerUp{"a"})
	if s.Phase != Active {
		t.Fatalf("phase %v", s.Phase)
	}
	if open, ok := has[OpenPeer](do); !ok || !open.Offerer || open.ID != "a" {
		t.Errorf("open %+v %v", open, ok)
	}
}

func TestCalleeWaitsForOffer(t *testing.T) {
	s, do := walk(State{}, GotInvite{"a", "ann"}, Accept{Video: true}, AcceptOK{"a"})
	if s.Phase != Connecting {
		t.Fatalf("phase %v", s.Phase)
	}
	if open, ok := has[OpenPeer](do); !ok || open.Offerer {
		t.Errorf("open %+v %v", open, ok)
	}
}

func TestGlareGoesOnInTheOthersCall(t *testing.T) {
	s, do := walk(State{}, Dial{ID: "mine", PeerID: "ann"}, Merged{"mine", "hers"}, PeerUp{"hers"})
	if s.Phase != Active || s.ID != "hers" || s.Outgoing {
		t.Fatalf("%+v", s)
	}
	if open, _ := has[OpenPeer](do); open.Offerer || open.ID != "hers" {
		t.Errorf("open %+v", open)
	}
}

func TestSecondInviteIsBusy(t *testing.T) {
	s, do := walk(State{Phase: Active, ID: "a"}, GotInvite{"b", "eve"})
	if r, _ := has[SendReject](do); r.ID != "b" || r.Reason != "busy" || s.ID != "a" || s.Phase != Active {
		t.Errorf("%+v %+v", s, do)
	}
}

func TestAnsweredElsewhereStopsRinging(t *testing.T) {
	s, do := walk(State{}, GotInvite{"a", "ann"}, GotEnded{"a", "answered_elsewhere"})
	if s.Phase != Ended || s.Reason != "answered_elsewhere" {
		t.Fatalf("%+v", s)
	}
	if _, ok := has[Quiet](do); !ok {
		t.Error("rings on")
	}
}

// TestAnyWalkKeepsThePromises takes random walks: one peer at a time, closed exactly when its call ends, the ringtone
// never outlives ringing, and a finished call is left only by Dismiss, a new dial or a new invite.
func TestAnyWalkKeepsThePromises(t *testing.T) {
	list := events()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var s State
		open, ringing, timer := "", false, false
		for step := range 200 {
			was := s
			var do []Effect
			e := list[r.IntN(len(list))]
			s, do = Next(s, e)
			if ev, fired := e.(Timeout); fired && ev.ID == was.ID {
				timer = false
			}
			for _, f := range do {
				switch f := f.(type) {
				case OpenPeer:
					if open != "" {
						t.Fatalf("seed %d step %d: a second peer", seed, step)
					}
					open = f.ID
				case ClosePeer:
					if open != f.ID {
						t.Fatalf("seed %d step %d: closes %q, open is %q", seed, step, f.ID, open)
					}
					open = ""
				case Ring:
					ringing = true
				case Quiet:
					ringing = false
				case StartTimer:
					timer = true
				case StopTimer:
					timer = false
				}
			}
			switch {
			case s.HasPeer() != (open != ""):
				t.Fatalf("seed %d step %d: phase %v with peer %q", seed, step, s.Phase, open)
			case ringing && s.Phase != Incoming && s.Phase != RingingOut:
				t.Fatalf("seed %d step %d: rings in phase %v after %T", seed, step, s.Phase, e)
			case timer && !s.Live():
				t.Fatalf("seed %d step %d: timer runs in phase %v", seed, step, s.Phase)
			}
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 9, 10, 11, 14})
	f.Add([]byte{7, 2, 10, 14, 5})
	list := events()
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		for _, x := range b {
			was := s
			s, _ = Next(s, list[int(x)%len(list)])
			if s.Phase == Ended && s.Reason == "" {
				t.Fatalf("ended without a reason from %+v", was)
			}
		}
	})
}
