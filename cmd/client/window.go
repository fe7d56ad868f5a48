package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"visavis.example/internal/app"
	vsignal "visavis.example/internal/signal"
	"visavis.example/internal/ui"
)

// windowed opens the window and returns when it has been closed. It must run on the main goroutine.
func windowed(o *options, stdout, stderr io.Writer) (int, error) {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return exitFailed, errors.New("there is no display here; `visavis call` and `visavis answer` work without a window")
	}
	c, err := newClient(o, stdout, stderr, true)
	if err != nil {
		return exitFailed, err
	}
	var handle atomic.Pointer[ui.Handle]
	if o.screenshot != "" {
		c.robot.shot = func() { c.screenshot(handle.Load(), o.screenshot) }
		if o.duration > 0 {
			o.screenshotAfter = min(o.screenshotAfter, o.duration/2)
		}
	}
	if err := c.app.Start(); err != nil {
		return exitFailed, errors.Join(err, c.abandon())
	}
	c.nets.start()
	ctx, cancel := context.WithCancel(context.Background())
	var signing sync.WaitGroup
	if o.signIn {
		signing.Go(func() { c.signIn(ctx, o) })
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	closed := make(chan struct{})
	code := atomic.Int32{}
	err = ui.Run(ui.Config{
		App:          c.app,
		AttachRemote: func(t ui.PictureTarget) { c.calls.remote.Attach(t) },
		AttachSelf:   func(t ui.PictureTarget) { c.calls.self.Attach(t) },
		NoDesktop:    o.signIn,
		OnReady: func(h *ui.Handle) {
			handle.Store(h)
			select {
			case done := <-c.robot.done:
				code.Store(int32(done))
			case <-interrupts:
				go func() {
					<-interrupts
					os.Exit(exitForced)
				}()
			case <-closed:
				return
			}
			h.Close()
		},
	})
	close(closed)
	cancel()
	signing.Wait()
	if err := errors.Join(err, c.close()); err != nil {
		return max(int(code.Load()), exitFailed), err
	}
	return int(code.Load()), nil
}

// signIn does what the person would do on the sign-in page. A server that nobody vouches for is asked about there.
func (c *client) signIn(ctx context.Context, o *options) {
	s, _ := o.settings()
	if o.register {
		_, err := makeAccount(ctx, c.servers, s.Server, vsignal.Register{Name: s.Name, Password: o.password, Invite: o.invite})
		if err != nil && !vsignal.IsCode(err, vsignal.ErrNameTaken) && vsignal.UntrustedIn(err) == nil {
			failed := app.Event{Time: time.Now(), Event: "sign-in-failed", Text: err.Error()}
			c.app.View(func(app.Snapshot) { // events are written from the loop
				c.events.write(failed)
				c.robot.event(failed)
			})
			return
		}
	}
	c.app.SignIn(s.Server, s.Name, o.password)
}

// screenshot saves the window as it is now.
func (c *client) screenshot(h *ui.Handle, file string) {
	if h == nil {
		return
	}
	picture := h.Capture()
	if picture == nil {
		c.robot.tell("There is no window to save as %s.", file)
		return
	}
	out, err := os.Create(file)
	if err == nil {
		err = errors.Join(png.Encode(out, picture), out.Close())
	}
	if err != nil {
		c.robot.tell("%v", fmt.Errorf("screenshot: %w", err))
	}
}
