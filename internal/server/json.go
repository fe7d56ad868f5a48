package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// retryAfter is said where nothing better is known.
const retryAfter = 5 * time.Second

// apiHandler answers, or returns why it does not.
type apiHandler func(http.ResponseWriter, *http.Request) error

// api is one path of the API: a handler for each method. Every reply is JSON, every refusal a signal.Failure.
func (s *Server) api(methods map[string]apiHandler) http.Handler {
	var allow []string
	for m := range methods {
		allow = append(allow, m)
	}
	slices.Sort(allow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h := methods[r.Method]
		if r.Method == http.MethodHead && h == nil {
			h = methods[http.MethodGet]
		}
		switch {
		case len(methods) == 0:
			s.fail(w, refuse(http.StatusNotFound, signal.ErrNotFound, "There is nothing here."))
		case h == nil:
			w.Header().Set("Allow", strings.Join(allow, ", "))
			s.fail(w, refuse(http.StatusMethodNotAllowed, signal.ErrBadRequest, "This address is for "+strings.Join(allow, " and ")+"."))
		default:
			if err := h(w, r); err != nil {
				s.fail(w, err)
			}
		}
	})
}

func refuse(status int, code, message string) *accounts.Refused {
	return &accounts.Refused{Failure: signal.Failure{Error: code, Message: message}, Status: status}
}

// fail answers with what may cross the wire; what may not is logged here, once.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var r *accounts.Refused
	switch {
	case errors.As(err, &r):
	case errors.Is(err, store.ErrNotFound):
		r = refuse(http.StatusNotFound, signal.ErrNotFound, "There is no such thing, or it is not yours.")
	case errors.Is(err, context.Canceled):
		return // nobody listens any more
	case errors.Is(err, store.ErrFull):
		s.Logger.Error("request failed", "error", err)
		r = refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server has no room left to store this. Please try again later.")
	case errors.Is(err, hub.ErrStopped):
		r = refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server is stopping. Please try again in a moment.")
	default:
		s.Logger.Error("request failed", "error", err)
		r = refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server failed to do this. Please try again later.")
	}
	s.meters.apiRefused.With(r.Failure.Error).Inc()
	wait := r.RetryAfter
	if wait == 0 && (r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable) {
		wait = retryAfter
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	writeJSON(w, r.Status, r.Failure)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // it can only fail when nobody reads it
}

// readJSON reads a body of one JSON object. Unknown fields are for later versions; anything after the object is not.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.Limits.BodyBytes)))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return refuse(http.StatusRequestEntityTooLarge, signal.ErrBadRequest, "The request is longer than "+bytesText(s.Limits.BodyBytes)+".")
	case err != nil:
		return refuse(http.StatusBadRequest, signal.ErrBadRequest, "The request ended early.")
	case !utf8.Valid(b):
		return refuse(http.StatusBadRequest, signal.ErrBadRequest, "The request is not UTF-8.")
	}
	if err := json.Unmarshal(b, into); err != nil { // which also refuses what comes after the object
		return refuse(http.StatusBadRequest, signal.ErrBadRequest, "The request is not the JSON object that this address takes.")
	}
	return nil
}
