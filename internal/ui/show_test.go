package ui

import (
	"fmt"
	"os"
	"strings"
	"time"

	"visavis.example/internal/app"
)

func noonNow() time.Time { return noon }

// show opens a real window on a made-up day: VISAVIS_SHOW=call go test ./internal/ui, with light, and a size as
// VISAVIS_SHOW=call,light,480x600. What the window asks for is printed; 30 pictures a second go into the call.
func show(what string) {
	words := strings.Split(what, ",")
	s := signedIn()
	cfg := Config{}
	for _, word := range words[1:] {
		if n, _ := fmt.Sscanf(word, "%fx%f", &cfg.Width, &cfg.Height); n < 2 {
			s.Settings.Theme = word
		}
	}
	f := &fake{snap: s}
	cfg.App = f
	stop := make(chan struct{})
	cfg.OnReady = func(h *Handle) {
		h.w.do(func() {
			h.w.now = noonNow
			scenes[words[0]](h.w, f)
			h.w.now = func() time.Time { return noon.Add(time.Since(started)) }
		})
		h.w.do(func() { // the scene's snapshot has arrived by now, and a new call begins with a closed drawer
			if words[0] == "drawer" && !h.w.call.drawer.open() {
				h.w.call.toggleDrawer()
			}
		})
		go play(h.w, f, stop)
	}
	if err := Run(cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	close(stop)
	fmt.Println("closed", f.take())
}

var started = time.Now()

func play(w *window, f *fake, stop chan struct{}) {
	t := time.NewTicker(time.Second / 30)
	defer t.Stop()
	for n := uint8(0); ; n++ {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		for _, p := range []PictureTarget{w.call.video, w.call.self} {
			if wide, _ := p.Wanted(); wide >= 0 {
				push(p, 640, 360, n)
			}
		}
		for _, line := range f.take() {
			fmt.Println(line)
			f.set(func(s *app.Snapshot) { react(s, line) })
		}
	}
}

// react does what the real app would have done at once.
func react(s *app.Snapshot, line string) {
	switch line {
	case "read bob":
		people := append([]app.Person{}, s.People...)
		people[0].Unread = 0
		s.People = people
	case "microphone true", "microphone false":
		s.Call.Microphone = line == "microphone true"
	case "camera true", "camera false":
		s.Call.Camera = line == "camera true"
	case "dismiss", "decline":
		s.Call = app.Call{}
	case "hang up":
		s.Call.Phase, s.Call.Reason, s.Call.Lasted = 8, "hangup", time.Since(started)
	case "accept true", "accept false":
		s.Call.Phase, s.Call.Since = 6, noon
		s.Call.Peers.Microphone, s.Call.Peers.Camera = true, true
	case `screen "Screen 1"`, `screen ""`:
		s.Call.Screen = line != `screen ""`
	}
	if text, ok := strings.CutPrefix(line, "to maria "); ok {
		lines := append([]app.Line{}, s.Chats["maria"]...)
		l := said(int64(1000+len(lines)), s.Self.ID, s.Self.Name, "maria", strings.Trim(text, `"`), 0)
		s.Chats = map[string][]app.Line{"maria": append(lines, l)}
	}
	var id string
	var video bool
	if n, _ := fmt.Sscanf(line, "dial %s %t", &id, &video); n == 2 {
		inCall(s, 2)
		s.Call.PeerID = id
		s.Call.Peer, _ = person(*s, id)
	}
}
