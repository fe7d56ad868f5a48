package ui

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"go.uber.org/goleak"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// TestMain opens a real window instead of testing when VISAVIS_SHOW says so: that needs the main goroutine. It is how the
// looks are judged; see show_test.go.
func TestMain(m *testing.M) {
	if what := os.Getenv("VISAVIS_SHOW"); what != "" {
		show(what)
		return
	}
	_ = os.Setenv("LANG", "en_US.UTF-8")
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // Fyne's GL package starts its queue when it is loaded
}

// open builds the window on Fyne's software driver with s as the first snapshot.
func open(t *testing.T, width, height float32, s app.Snapshot) (*window, *fake) {
	t.Helper()
	f := &fake{snap: s}
	w := newWindow(test.NewTempApp(t), Config{App: f, Width: width, Height: height, NoDesktop: true})
	w.now, w.call.awake = noonNow, noon
	w.show(s)
	t.Cleanup(w.close)
	f.take()
	return w, f
}

// picture fills a frame with something that looks like somebody in front of a wall.
func picture(b *image.RGBA, shade uint8) {
	w, h := b.Rect.Dx(), b.Rect.Dy()
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(60 + x*60/w), uint8(70 + y*40/h), shade, 255}
			dx, dy := float64(x-w/2)/float64(h), float64(y-h*2/5)/float64(h)
			if dx*dx*1.4+dy*dy < 0.035 {
				c = color.RGBA{214, 164, 134, 255}
			} else if dy > 0.2 && dx*dx < 0.13 {
				c = color.RGBA{52, 84, 130, 255}
			}
			b.SetRGBA(x, y, c)
		}
	}
}

func push(p PictureTarget, w, h int, shade uint8) {
	b := p.Buffer(w, h)
	picture(b, shade)
	p.Push(b)
}

// scenes are all the screens there are, by name.
var scenes = map[string]func(w *window, f *fake){
	"signin": func(_ *window, f *fake) {
		f.set(func(s *app.Snapshot) { *s = app.Snapshot{Settings: s.Settings} })
	},
	"signin-error": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			*s = app.Snapshot{Settings: s.Settings, SignInError: "The name or the password is wrong. After ten wrong attempts you have to wait."}
		})
		w.signIn.mode.Select(1)
	},
	"signup": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			*s = app.Snapshot{Settings: app.Settings{Server: "calls.example.org", Theme: s.Settings.Theme}}
			s.Door = app.Door{Server: "calls.example.org", Mode: signal.SignUpInvite}
		})
		w.signIn.mode.Select(1)
	},
	"signup-invited": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			*s = app.Snapshot{Settings: app.Settings{Theme: s.Settings.Theme}}
			s.Door = app.Door{
				Server: "https://calls.example.org", Mode: signal.SignUpInvite, Invite: "Zq3-xw_81kLmPqRs", Good: true, By: "Maria Keller",
				Expires: noon.Add(6 * 24 * time.Hour),
			}
		})
		w.signIn.server.SetText("https://calls.example.org/#invite=Zq3-xw_81kLmPqRs")
	},
	"signup-closed": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			*s = app.Snapshot{Settings: app.Settings{Server: "calls.example.org", Theme: s.Settings.Theme}}
			s.Door = app.Door{Server: "calls.example.org", Mode: signal.SignUpClosed}
		})
		w.signIn.mode.Select(1)
	},
	"account": func(w *window, f *fake) {
		f.set(withAccount)
		w.main.openAccount()
	},
	"account-delete": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			s.Account.Said = app.Outcome{Step: app.StepDelete, Text: "The password is wrong.", Failed: true}
		})
		w.main.openAccount()
		w.main.account.askLeave(true)
		w.main.account.scroll.ScrollToBottom()
	},
	"account-end": func(w *window, f *fake) {
		f.set(withAccount)
		w.main.openAccount()
		w.main.account.scroll.ScrollToBottom()
	},
	"block-ask": func(w *window, _ *fake) {
		w.main.openChat("bob")
		w.main.chat.bar.ask("bob")
	},
	"blocked": func(w *window, f *fake) {
		f.set(withAccount)
		w.main.openChat("dilan")
	},
	"undisturbed": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			withAccount(s)
			s.Self.DND, s.Account.DNDUntil = true, noon.Add(time.Hour)
		})
		w.main.openChat("maria")
	},
	"welcome": func(*window, *fake) {},
	"chat":    func(w *window, _ *fake) { w.main.openChat("bob") },
	"lobby":   func(w *window, _ *fake) { w.main.openChat(lobby) },
	"calls": func(w *window, _ *fake) {
		w.main.side.tabs.Select(tabCalls)
		w.main.openCall("call-2")
	},
	"callslist": func(w *window, _ *fake) { w.main.side.tabs.Select(tabCalls) },
	"settings": func(w *window, f *fake) {
		w.main.openSettings()
	},
	"offline": func(_ *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			s.Link, s.LinkNote = app.Connecting, "The server cannot be reached."
			s.Notices = []string{"No camera found", "No microphone found: the others will not hear you. Plug one in and look for devices again in the settings."}
		})
	},
	"incoming": func(_ *window, f *fake) { f.set(func(s *app.Snapshot) { inCall(s, call.Incoming) }) },
	"ringing":  func(_ *window, f *fake) { f.set(func(s *app.Snapshot) { inCall(s, call.RingingOut) }) },
	"call": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) { inCall(s, call.Active) })
		push(w.call.video, 1280, 720, 70)
		push(w.call.self, 640, 360, 110)
	},
	"muted": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			inCall(s, call.Active)
			s.Call.Peers.Microphone, s.Call.Peers.Camera, s.Call.Microphone, s.Call.Camera = false, false, false, true
			s.Call.Quality.LossPercent = 12
		})
		push(w.call.self, 640, 360, 110)
	},
	"drawer": func(w *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			inCall(s, call.Active)
			s.Chats = map[string][]app.Line{"maria": s.Chats["bob"]}
		})
		push(w.call.video, 1280, 720, 70)
		push(w.call.self, 640, 360, 110)
		w.call.toggleDrawer()
	},
	"ended": func(_ *window, f *fake) { f.set(func(s *app.Snapshot) { inCall(s, call.Ended) }) },
	"failed": func(_ *window, f *fake) {
		f.set(func(s *app.Snapshot) {
			inCall(s, call.Ended)
			s.Call.Reason, s.Call.Lasted = "connection_failed", 0
		})
	},
}

// TestPictures draws every screen in both themes and two sizes: none may panic, and with VISAVIS_PICTURES set to a folder
// the pictures are left there to be looked at.
func TestPictures(t *testing.T) {
	dir := os.Getenv("VISAVIS_PICTURES")
	for name, scene := range scenes {
		for _, look := range []string{"dark", "light"} {
			for _, size := range []fyne.Size{fyne.NewSize(1100, 700), fyne.NewSize(480, 600)} {
				if dir == "" && (look == "dark" || size.Width > 600) {
					continue // a quarter of them will do when nobody looks
				}
				t.Run(name, func(t *testing.T) {
					s := signedIn()
					s.Settings.Theme = look
					w, f := open(t, size.Width, size.Height, s)
					scene(w, f)
					w.root.Refresh()
					if dir == "" {
						return
					}
					save(t, dir, name+"-"+look+"-"+map[bool]string{true: "wide", false: "narrow"}[size.Width > 600], w.win.Canvas().Capture())
					if w.ring.open {
						save(t, dir, name+"-window", w.ring.win.Canvas().Capture())
					}
				})
			}
		}
	}
}

func save(t *testing.T, dir, name string, m image.Image) {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, m); err != nil {
		t.Fatal(err)
	}
}
