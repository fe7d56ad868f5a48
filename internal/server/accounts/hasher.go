package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"visavis.example/internal/signal"
)

// Work is what hashing one password costs.
type Work struct {
	MemoryKiB uint32
	Passes    uint32
}

// DefaultWork is OWASP's argon2id with the least memory but one: 19 MiB, two passes; 48 ms measured on one core.
var DefaultWork = Work{MemoryKiB: 19456, Passes: 2}

// maxWork is the most that a hash in the database may cost: a damaged one must not take the server's memory.
var maxWork = Work{MemoryKiB: 1 << 20, Passes: 64}

const (
	saltBytes = 16
	hashBytes = 32
)

// hasher runs at most one argon2id per core, and one less where there are several: a hundred logins at once would otherwise
// take two gigabytes.
type hasher struct {
	work Work
	wait time.Duration // in the queue for a core; 0: as DefaultLimits say
	slot chan struct{}

	waiting, done, refused atomic.Int64

	tidy *time.Timer // gives 19 MiB a hash back to the system, when nobody has asked for one for tidyAfter
}

// tidyAfter keeps a burst of logins from collecting garbage after each of them.
const tidyAfter = time.Second

func (h *hasher) start(w Work) {
	if h.work = w; w == (Work{}) {
		h.work = DefaultWork
	}
	h.wait = cmp.Or(h.wait, DefaultLimits.HashWait)
	// One core is left to those who are in: their messages would wait for half a hash (25 ms) whenever all are busy.
	h.slot = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))
	h.tidy = time.AfterFunc(time.Hour, debug.FreeOSMemory)
	h.tidy.Stop()
}

func (h *hasher) enter(ctx context.Context) error {
	t := time.NewTimer(h.wait)
	defer t.Stop()
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	select {
	case h.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		h.refused.Add(1)
		r := refuse(http.StatusServiceUnavailable, signal.ErrTooMany, "The server is busy. Please try again in a moment.")
		r.RetryAfter = h.wait
		return r
	}
}

func (h *hasher) sum(ctx context.Context, password string, salt []byte, w Work, size uint32) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() {
		h.done.Add(1)
		<-h.slot
		h.tidy.Reset(tidyAfter)
	}()
	return argon2.IDKey([]byte(password), salt, w.Passes, w.MemoryKiB, 1, size), nil
}

// make gives the PHC string of a new password.
func (h *hasher) make(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails since Go 1.24
	sum, err := h.sum(ctx, password, salt, h.work, hashBytes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, h.work.MemoryKiB, h.work.Passes,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// check compares a password with a PHC string; old says that the string was made with other costs than today's. With a
// string that is none it does the same work and says no.
func (h *hasher) check(ctx context.Context, password, phc string) (right, old bool, err error) {
	w, salt, want, ok := parsePHC(phc)
	if !ok {
		w, salt, want = h.work, make([]byte, saltBytes), make([]byte, hashBytes)
	}
	got, err := h.sum(ctx, password, salt, w, uint32(len(want))) //nolint:gosec // parsePHC bounds it
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(got, want) == 1
	return same && ok, w != h.work, nil
}

func parsePHC(s string) (w Work, salt, sum []byte, ok bool) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return w, nil, nil, false
	}
	var lanes int
	n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &w.MemoryKiB, &w.Passes, &lanes)
	if n != 3 || err != nil || lanes != 1 || w.Passes == 0 || w.Passes > maxWork.Passes || w.MemoryKiB > maxWork.MemoryKiB {
		return w, nil, nil, false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(part[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(part[5])
	return w, salt, sum, err1 == nil && err2 == nil && len(sum) >= 16 && len(sum) <= 64
}

// Hashing is what the hashing of passwords costs a server at the moment.
type Hashing struct {
	Running int // at most one a core, less one where there are several
	Waiting int // for a core
	Done    int64
	Refused int64 // waited too long and were told to come back
}

// Hashing says how busy it is.
func (a *Accounts) Hashing() Hashing {
	h := &a.hash
	return Hashing{Running: len(h.slot), Waiting: int(h.waiting.Load()), Done: h.done.Load(), Refused: h.refused.Load()}
}
