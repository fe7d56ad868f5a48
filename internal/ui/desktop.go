package ui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"github.com/godbus/dbus/v5"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/ui/theme"
)

// startDesktop sets up tray and notifications where they work. On Linux without a session bus Fyne's tray makes the end of
// the program panic (fyne #6403), and without a watcher of status icons the icon never appears, so that a hidden window
// would be lost; so both are asked for first.
func (w *window) startDesktop() {
	if w.cfg.NoDesktop {
		return
	}
	w.notify, w.tray, w.saver = busOffers()
	d, ok := w.app.(desktop.App)
	if !ok || !w.tray {
		w.tray = false
		return
	}
	d.SetSystemTrayMenu(fyne.NewMenu("Visavis",
		fyne.NewMenuItem("Show", w.raise),
		fyne.NewMenuItem("Quit", w.quit)))
	d.SetSystemTrayIcon(theme.AppIcon()) // PNG: Linux trays do not read SVG
}

// busOffers says whether notifications can be sent, whether a tray icon would be seen, and whether the screen saver listens.
func busOffers() (notify, tray, saver bool) {
	if runtime.GOOS != "linux" {
		return true, true, true
	}
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if address == "" { // dbus would start a bus of its own; a session has one here
		path := filepath.Join("/run/user", fmt.Sprint(os.Getuid()), "bus")
		if _, err := os.Stat(path); err != nil {
			return false, false, false
		}
		address = "unix:path=" + path
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	bus, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return false, false, false
	}
	defer bus.Close()
	owned := func(name string) (yes bool) {
		err := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&yes)
		return err == nil && yes
	}
	return owned("org.freedesktop.Notifications"), owned("org.kde.StatusNotifierWatcher"), owned("org.freedesktop.ScreenSaver")
}

// announce sends notifications about what is new in s.
func (w *window) announce(was, s app.Snapshot) {
	if !w.notify {
		return
	}
	if s.Call.Phase == call.Incoming && was.Call.ID != s.Call.ID {
		kind := "Incoming call"
		if s.Call.PeerVideo {
			kind = "Incoming video call"
		}
		w.app.SendNotification(fyne.NewNotification(nameOf(s.Call.Peer), kind))
	}
	for _, p := range s.People {
		if p.Unread <= unread(was, p.ID) || was.Link == app.SignedOut || w.reads(p.ID) {
			continue
		}
		if lines := s.Chats[p.ID]; len(lines) > 0 && !lines[len(lines)-1].Mine {
			w.app.SendNotification(fyne.NewNotification(p.Name, lines[len(lines)-1].Text))
		}
	}
}

// stayAwake keeps the screen on in a call.
func (w *window) stayAwake(on bool) {
	if w.saver && on != w.awake {
		w.awake = on
		w.app.Driver().SetDisableScreenBlanking(on)
	}
}
