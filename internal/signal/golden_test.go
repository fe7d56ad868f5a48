package signal

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata/*.json")

const (
	annID  = "ann23456789abcdefghijklmno"
	bobID  = "bob23456789abcdefghijklmno"
	callID = "call3456789abcdefghijklmno"
	reqID  = "r-17"

	sessionID = "sess3456789abcdefghijklmno"
)

var (
	ann  = User{ID: annID, Name: "Ann", Kind: KindPerson, Online: true}
	echo = User{ID: "echo", Name: "Echo", Kind: KindEcho, Online: true}
	sent = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	mid  = "0"
	line = uint16(0)
	turn = []ICEServer{
		{URLs: []string{"stun:calls.example:3478"}},
		{URLs: []string{"turn:calls.example:3478?transport=udp", "turn:calls.example:3478?transport=tcp"}, Username: "1772600000:dev.call", Credential: "c2VjcmV0"},
	}
	line1 = ChatMessage{ID: 7, FromID: annID, FromName: "Ann", ToID: bobID, Text: "Grüß Gott, <b>Bob</b> 👋\nsecond line", Sent: sent}
)

// golden is one message of the protocol with the payload that its data must decode to.
type golden struct {
	name string
	env  Envelope
	data any
}

func request(m Method, data any) Envelope {
	return Envelope{Method: m, RequestID: reqID, Data: Encode(data)}
}

func reply(m Method, data any) Envelope {
	return Envelope{Method: m, RequestID: reqID, Message: "ok", Data: Encode(data)}
}

func push(m Method, c Code, from string, data any) Envelope {
	return Envelope{Method: m, Code: c, FromID: from, Data: Encode(data)}
}

func (e Envelope) to(id string) Envelope           { e.ToID = id; return e }
func (e Envelope) in(call string) Envelope         { e.CallID = call; return e }
func (e Envelope) number(seq, ack uint64) Envelope { e.Seq, e.Ack = seq, ack; return e }
func (e Envelope) text() Envelope                  { e.Type = TypeText; return e }

// adder takes one message; the envelope's data is the payload.
type adder func(name string, e Envelope, data any)

// goldens has every method in every role it plays.
func goldens() []golden {
	var all []golden
	add := func(name string, e Envelope, data any) {
		e.Data = Encode(data)
		all = append(all, golden{name, e, data})
	}
	sessionGoldens(add)
	peopleGoldens(add)
	chatGoldens(add)
	ringGoldens(add)
	callGoldens(add)
	return all
}

// sessionGoldens are about the connection itself.
func sessionGoldens(add adder) {
	add("user-connect.request", request(UserConnect, nil), Connect{DeviceID: "dev23456789abcdefghijklmno", Device: "Ann's laptop", Client: "visavis/0.1.0"})
	add("user-connect.reply", reply(UserConnect, nil), Connected{Self: ann, Users: []User{echo}, CallID: callID, Server: "visavis-server/0.1.0"})
	add("user-connect-again.reply", reply(UserConnect, nil), Connected{
		Self: ann, Users: []User{echo}, CallID: callID, Server: "visavis-server/0.1.0", Run: "run23456789abcdefghijklmno", ICEServers: turn,
	})
	add("user-connect-resume.request", request(UserConnect, nil),
		Connect{DeviceID: "dev23456789abcdefghijklmno", Device: "Firefox", Client: "visavis-web/1", Resume: &Resume{Session: sessionID, Got: 57}})
	add("user-connect-resumed.reply", reply(UserConnect, nil),
		Connected{Self: ann, Users: []User{}, Server: "visavis-server/0.1.0", Session: sessionID, Resumed: true, Got: 12})
	add("user-connect-session.reply", reply(UserConnect, nil),
		Connected{Self: ann, Users: []User{echo}, Server: "visavis-server/0.1.0", Session: sessionID})
	add("user-connect-renews.request", request(UserConnect, nil),
		Connect{DeviceID: "dev23456789abcdefghijklmno", Device: "Firefox", Client: "visavis-web/1", Resume: &Resume{}, Renews: true})
	add("user-changes.push", push(UserChanges, CodeUserChanges, "", nil), Users{Users: []User{ann, {ID: bobID, Name: "Bob", Kind: KindPerson}}})
	add("session-ack.request", Envelope{Method: SessionAck, Ack: 57}, nil)
	add("session-ack.push", Envelope{Method: SessionAck, Code: CodeAck, Ack: 32}, nil)
	add("server-stopping.push", push(ServerStopping, CodeStopping, "", nil).number(58, 12), Stopping{AfterMs: 3141})
	add("call-cancel-numbered.request", request(CallCancel, nil).in(callID).number(13, 58), nil)
	add("call-ended-numbered.push", push(CallEnded, CodeEnded, bobID, nil).in(callID).number(59, 13), Ended{Reason: EndCancelled, ByID: bobID})
}

// peopleGoldens say who is there.
func peopleGoldens(add adder) {
	add("user-list.request", request(UserList, nil), nil)
	add("user-list.reply", reply(UserList, nil), Users{Users: []User{ann, echo}})
	add("user-list.push", push(UserList, CodeUserList, "", nil), Users{Users: []User{ann}})
	add("user-online.push", push(UserOnline, CodeUserOnline, annID, nil), UserChange{User: ann})
	add("user-offline.push", push(UserOffline, CodeUserOffline, annID, nil), UserChange{User: User{ID: annID, Name: "Ann", Kind: KindPerson}})
	add("user-online-dnd.push", push(UserOnline, CodeUserOnline, annID, nil), UserChange{User: User{ID: annID, Name: "Ann", Kind: KindPerson, Online: true, DND: true}})
	add("user-removed.push", push(UserRemoved, CodeUserRemoved, annID, nil), UserChange{User: User{ID: annID, Name: "Ann", Kind: KindPerson}})
	add("user-self.push", push(UserSelf, CodeUserSelf, bobID, nil), UserChange{User: User{ID: bobID, Name: "Bob", Kind: KindPerson, Online: true, DND: true}})
}

// chatGoldens are text.
func chatGoldens(add adder) {
	add("message-sendtoall.request", request(MessageSendToAll, nil).text(), Text{Text: "Good morning"})
	add("message-sendto.request", request(MessageSendTo, nil).to(bobID).text(), Text{Text: line1.Text})
	add("message-sendto.reply", reply(MessageSendTo, nil).text(), line1)
	add("message-sendto.push", push(MessageSendTo, CodeChat, annID, nil).to(bobID).text(), line1)
	add("message-history.request", request(MessageHistory, nil), History{With: bobID, Before: 8, Limit: 50})
	add("message-history.reply", reply(MessageHistory, nil), Messages{Messages: []ChatMessage{line1}})
	add("message-unread.request", request(MessageUnread, nil), nil)
	add("message-unread.reply", reply(MessageUnread, nil), Unread{Newest: 9, Chats: []UnreadChat{{With: bobID, Count: 2, Last: 8}, {Count: 1, Last: 5}}})
	add("message-read.request", request(MessageRead, nil), Read{With: bobID, ID: 8})
	add("message-read.push", push(MessageRead, CodeRead, annID, nil), Read{ID: 5})
}

// ringGoldens begin a call and end it.
func ringGoldens(add adder) {
	add("call-ended-dnd.push", push(CallEnded, CodeEnded, bobID, nil).in(callID), Ended{Reason: EndDoNotDisturb, ByID: bobID})
	add("call-invite.request", request(CallInvite, nil).to(bobID).in(callID), Invite{Video: true})
	add("call-invite.reply", reply(CallInvite, nil).in(callID), Invited{})
	add("call-invite.merged", reply(CallInvite, nil).in(callID), Invited{Merged: "hers3456789abcdefghijklmno", ICEServers: turn, Peer: &ann, Video: true})
	add("call-invite.push", push(CallInvite, CodeInvite, annID, nil).in(callID), Invite{Video: true, From: &ann, ExpiresMs: 45000})
	add("call-invite.error", Envelope{Method: CallInvite, Code: CodeError, RequestID: reqID, Message: "You are in a call already."}, Problem{Error: ErrAlreadyInCall})
	add("call-ringing.request", request(CallRinging, nil).in(callID), nil)
	add("call-invite-early.request", request(CallInvite, nil).to(bobID).in(callID), Invite{Video: true, Early: true})
	add("call-invite-early.push", push(CallInvite, CodeInvite, annID, nil).in(callID), Invite{Video: true, Early: true, From: &ann, ExpiresMs: 45000})
	add("call-ringing-early.request", request(CallRinging, nil).in(callID), Ring{Early: true})
	add("call-ringing-early.reply", reply(CallRinging, nil).in(callID), Rung{ICEServers: turn})
	add("call-ringing-early.push", push(CallRinging, CodeRinging, bobID, nil).in(callID), Ringing{Devices: 1, Device: "1", ICEServers: turn})
	add("call-accept-early.request", request(CallAccept, nil).in(callID), Accept{Video: true, Early: true})
	add("call-accept-early.push", push(CallAccept, CodeAccepted, bobID, nil).in(callID), Accepted{Video: true, ICEServers: turn, Device: "1"})
	add("call-ringing.push", push(CallRinging, CodeRinging, bobID, nil).in(callID), Ringing{Devices: 2})
	add("call-accept.request", request(CallAccept, nil).in(callID), Accept{Video: true})
	add("call-accept.reply", reply(CallAccept, nil).in(callID), Accepted{Video: true, ICEServers: turn})
	add("call-accept.push", push(CallAccept, CodeAccepted, bobID, nil).in(callID), Accepted{Video: true, ICEServers: turn})
	add("call-reject.request", request(CallReject, nil).in(callID), Reject{Reason: EndDeclined})
	add("call-cancel.request", request(CallCancel, nil).in(callID), nil)
	add("call-hangup.request", request(CallHangup, nil).in(callID), Hangup{Reason: EndConnectionFailed})
	add("call-hangup-other.request", request(CallHangup, nil).in(callID), Hangup{Reason: EndHangup, ByID: annID})
	add("call-hangup.beside", Envelope{Method: CallHangup, CallID: callID}, Hangup{Reason: EndHangup})
	add("call-ended.push", push(CallEnded, CodeEnded, bobID, nil).in(callID), Ended{Reason: EndHangup, ByID: bobID})
}

// callGoldens are what two who are in a call, or about to be, tell each other.
func callGoldens(add adder) {
	add("message-offer-early.request", request(MessageOffer, nil).in(callID), SDP{SDP: "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n", Device: "1"})
	add("message-offer-fresh.request", request(MessageOffer, nil).in(callID), SDP{SDP: "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n", Fresh: true})
	add("message-offer-fresh.push", push(MessageOffer, CodeOffer, annID, nil).in(callID), SDP{SDP: "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n", Fresh: true})
	add("message-answer-early.push", push(MessageAnswer, CodeAnswer, bobID, nil).in(callID), SDP{SDP: "v=0\r\no=- 3 4 IN IP4 0.0.0.0\r\n", Device: "1"})
	add("message-candidate-early.push", push(MessageCandidate, CodeCandidate, bobID, nil).in(callID),
		Candidate{Candidate: "candidate:1 1 udp 41885439 192.0.2.1 50000 typ relay raddr 0.0.0.0 rport 0", SDPMid: &mid, SDPMLineIndex: &line, Device: "1"})
	add("call-media.request", request(CallMedia, nil).in(callID), Media{Microphone: true, Camera: false})
	add("call-media.push", push(CallMedia, CodeMedia, annID, nil).in(callID), Media{Microphone: true, Camera: false})
	add("call-media-paused.push", push(CallMedia, CodeMedia, annID, nil).in(callID), Media{Microphone: true, Camera: true, Paused: true})
	add("call-media-counted.push", push(CallMedia, CodeMedia, annID, nil).in(callID), Media{Microphone: true, Change: 3})
	add("call-media.beside", Envelope{Method: CallMedia, CallID: callID}, Media{Microphone: true, Camera: true, Change: 4})
	add("call-restart.beside", Envelope{Method: CallRestart, CallID: callID}, Restart{Offers: 2})
	add("call-restart-counted.push", push(CallRestart, CodeRestart, bobID, nil).in(callID), Restart{Offers: 1})
	add("call-restart.request", request(CallRestart, nil).in(callID), nil)
	add("call-restart.push", push(CallRestart, CodeRestart, bobID, nil).in(callID), nil)
	add("call-servers.push", push(CallServers, CodeServers, "", nil).to(annID).in(callID), Servers{ICEServers: turn})
	add("call-report.request", request(CallReport, nil).in(callID), Report{Path: PathRelay, SetupMs: 312})
	add("call-report-flows.request", request(CallReport, nil).in(callID), Report{Path: PathDirect, Flows: true})
	add("message-offer.push", push(MessageOffer, CodeOffer, annID, nil).in(callID), SDP{SDP: "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"})
	add("message-answer.push", push(MessageAnswer, CodeAnswer, bobID, nil).in(callID), SDP{SDP: "v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\n"})
	add("message-candidate.push", push(MessageCandidate, CodeCandidate, bobID, nil).in(callID),
		Candidate{Candidate: "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host", SDPMid: &mid, SDPMLineIndex: &line})
	add("message-offer.request", request(MessageOffer, nil).in(callID), SDP{SDP: "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"})
	add("message-answer.request", request(MessageAnswer, nil).in(callID), SDP{SDP: "v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\n"})
	add("message-candidate.request", request(MessageCandidate, nil).in(callID), Candidate{})
}

func TestGoldenMessages(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			file := filepath.Join("testdata", g.name+".json")
			seen[file] = true
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(g.env); err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(want, &a) != nil || json.Unmarshal(got.Bytes(), &b) != nil || !reflect.DeepEqual(a, b) {
				t.Fatalf("%s is\n%s\nand this code writes\n%s", file, want, got.Bytes())
			}
			e, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if g.data != nil {
				checkPayload(t, e, g.data)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[f] {
			t.Errorf("%s belongs to no message", f)
		}
	}
}

// checkPayload decodes the envelope's data strictly into the payload's type and compares.
func checkPayload(t *testing.T, e Envelope, want any) {
	t.Helper()
	p := reflect.New(reflect.TypeOf(want))
	dec := json.NewDecoder(bytes.NewReader(e.Data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p.Interface()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Elem().Interface(), want) {
		t.Errorf("decoded %+v, want %+v", p.Elem().Interface(), want)
	}
	if c, ok := p.Elem().Interface().(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("x", 65)
	for name, b := range map[string]string{
		"nothing":       "",
		"not JSON":      "{",
		"a list":        "[]",
		"no method":     `{"type":0}`,
		"wrong type":    `{"method":7}`,
		"type 5":        `{"method":"User/List","type":5}`,
		"long method":   `{"method":"` + long + `"}`,
		"long call id":  `{"method":"User/List","callId":"` + long + `"}`,
		"not UTF-8":     "{\"method\":\"\xff\"}",
		"two messages":  `{"method":"User/List"}{"method":"User/List"}`,
		"far too large": `{"method":"User/List","message":"` + strings.Repeat("x", MaxMessage) + `"}`,
		"very deep":     `{"method":"User/List","data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
	} {
		if _, err := Parse([]byte(b)); err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(err.Error()) > 200 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	e := func(data string) Envelope { return Envelope{Method: "x", Data: json.RawMessage(data)} }
	for name, err := range map[string]error{
		"empty text":        second(Decode[Text](e(`{"text":"  "}`))),
		"text with a bell":  second(Decode[Text](e(`{"text":"a\u0007"}`))),
		"long text":         second(Decode[Text](e(`{"text":"` + strings.Repeat("ü", MaxChatRunes+1) + `"}`))),
		"short device id":   second(Decode[Connect](e(`{"deviceId":"abc"}`))),
		"odd device id":     second(Decode[Connect](e(`{"deviceId":"aaaaaaaaaaaaaaaaaaaa/../x"}`))),
		"not SDP":           second(Decode[SDP](e(`{"sdp":"hello"}`))),
		"huge SDP":          second(Decode[SDP](e(`{"sdp":"v=0` + strings.Repeat("x", MaxSDP) + `"}`))),
		"two candidates":    second(Decode[Candidate](e(`{"candidate":"a\r\nb"}`))),
		"made-up reason":    second(Decode[Hangup](e(`{"reason":"declined"}`))),
		"made-up rejection": second(Decode[Reject](e(`{"reason":"hangup"}`))),
		"made-up path":      second(Decode[Report](e(`{"path":"carrier pigeon"}`))),
		"limit":             second(Decode[History](e(`{"limit":100000}`))),
		"wrong kind":        second(Decode[Media](e(`{"camera":"yes"}`))),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(Encode(e))
		if err != nil && len(b) < MaxMessage/8 {
			t.Fatalf("what was accepted is refused when said again: %v", err)
		} else if err == nil && again.Method != e.Method {
			t.Fatal("another method")
		}
		_, _ = Decode[Connect](e)
		_, _ = Decode[SDP](e)
		_, _ = Decode[Text](e)
		_, _ = Decode[Candidate](e)
	})
}
