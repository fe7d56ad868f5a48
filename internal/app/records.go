package app

import (
	"slices"

	"visavis.example/internal/signal"
)

const recordsPage = 50

// LoadCalls reads the newest calls, or with more those before the oldest that is there.
func (a *App) LoadCalls(more bool) { a.post(func() { a.loadCalls(more) }) }

func (a *App) loadCalls(more bool) {
	s := a.sess
	if s == nil || a.closing {
		return
	}
	before := ""
	if n := len(a.snap.Calls); more && n > 0 {
		before = a.snap.Calls[n-1].ID
	}
	a.spawn(func() {
		got, err := s.accounts.Calls(a.ctx, s.token, before, recordsPage)
		a.post(func() {
			if a.sess != s {
				return
			}
			if err != nil {
				a.Logger.Debug("calls not loaded", "err", err)
				if more {
					a.notice("The calls could not be loaded. " + words(err))
				}
				return
			}
			a.gotCalls(before, got)
		})
	})
}

func (a *App) gotCalls(before string, got signal.Calls) {
	old := a.snap.Calls
	a.snap.CallsLoaded = true
	switch {
	case before == "" && len(old) > len(got.Calls):
		// Fresh first page over older pages that are here already: keep those that continue it.
		if n := len(got.Calls); n > 0 {
			if i := slices.IndexFunc(old, func(r signal.CallRecord) bool { return r.ID == got.Calls[n-1].ID }); i >= 0 && got.More {
				a.snap.Calls = append(slices.Clone(got.Calls), old[i+1:]...)
				a.changed()
				return
			}
		}
		a.snap.Calls = got.Calls
	case before == "":
		a.snap.Calls = got.Calls
	case len(old) == 0 || old[len(old)-1].ID != before:
		return // the list has changed meanwhile
	default:
		a.snap.Calls = append(slices.Clone(old), got.Calls...)
	}
	a.snap.CallsMore = got.More
	a.changed()
}

// ShowCall reads one call's details into the snapshot; an empty id takes them away.
func (a *App) ShowCall(id string) {
	a.post(func() {
		a.snap.CallDetails = nil
		a.changed()
		s := a.sess
		if id == "" || s == nil {
			return
		}
		if i := slices.IndexFunc(a.snap.Calls, func(r signal.CallRecord) bool { return r.ID == id }); i >= 0 {
			r := a.snap.Calls[i]
			a.snap.CallDetails = &r // at once; the server's word follows
		}
		a.spawn(func() {
			r, err := s.accounts.Call(a.ctx, s.token, id)
			a.post(func() {
				switch {
				case a.sess != s:
				case err != nil:
					a.notice("The call's details could not be loaded. " + words(err))
				default:
					a.snap.CallDetails = &r
					a.changed()
				}
			})
		})
	})
}
