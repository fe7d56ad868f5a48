package store

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// DefaultQueue is how many messages may wait for the disk.
const DefaultQueue = 4096

const (
	aliveEvery = 30 * time.Second // how exactly the end of a call is known after a crash
	retryAfter = time.Second
	writeLimit = 10 * time.Second
)

// Journal writes calls and chat behind the hub's back, in the order they came, many in one transaction. A call that
// cannot be written (the disk is full) is kept and tried again until it can; a message that cannot be written is refused
// at once, so that its sender keeps it.
type Journal struct {
	Store  *Store
	Logger *slog.Logger
	Queue  int // messages that wait for the disk; more are refused. 0: DefaultQueue

	mu     sync.Mutex
	next   batch
	closed bool
	failed bool // the last batch kept its calls
	wake   chan struct{}
	done   chan struct{}
}

// batch is what one transaction writes.
type batch struct {
	chat  []pending
	order []callKey        // calls, oldest first
	calls map[callKey]Call // the newest state of each
	reads map[readKey]int64
	syncs []chan struct{} // closed when the batch has been tried
}

type callKey struct {
	id      string
	started int64
}

type readKey struct{ user, with string }

type pending struct {
	m    Message
	err  error // of this message alone
	done func(Message, error)
}

func (b *batch) add(c Call, newer bool) {
	k := callKey{c.ID, toMs(c.Started)}
	if b.calls == nil {
		b.calls = make(map[callKey]Call)
	}
	if _, have := b.calls[k]; have && !newer {
		return
	} else if !have {
		b.order = append(b.order, k)
	}
	b.calls[k] = c
}

func (b *batch) addRead(k readKey, upTo int64) {
	if b.reads == nil {
		b.reads = make(map[readKey]int64)
	}
	b.reads[k] = max(b.reads[k], upTo)
}

// Start begins writing.
func (j *Journal) Start() error {
	j.wake, j.done = make(chan struct{}, 1), make(chan struct{})
	go j.run()
	return nil
}

// Close writes what is left and ends. What can still not be written is lost, and said in the log.
func (j *Journal) Close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.poke()
	<-j.done
}

// SaveCall queues the newest state of a call. It never blocks.
func (j *Journal) SaveCall(c Call) {
	j.mu.Lock()
	j.next.add(c, true)
	j.mu.Unlock()
	j.poke()
}

// SaveMessage queues a line of chat; done gets it with its id once it is on disk, or the reason why it is not. done is
// called from another goroutine, in the order of the ids, and must not wait for the journal.
func (j *Journal) SaveMessage(m Message, done func(Message, error)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || len(j.next.chat) >= cmp.Or(j.Queue, DefaultQueue) {
		go done(m, ErrBusy) // not on the caller's stack, which may be the loop that done posts to
		return
	}
	j.next.chat = append(j.next.chat, pending{m: m, done: done})
	j.poke()
}

// SaveRead queues how far a person has read a chat. It never blocks; of many for one chat the farthest is written.
func (j *Journal) SaveRead(r Read) {
	j.mu.Lock()
	j.next.addRead(readKey{r.UserID, r.With}, r.UpTo)
	j.mu.Unlock()
	j.poke()
}

// Sync waits until everything queued before it has been tried, so that a reader sees what the hub has already said.
func (j *Journal) Sync(ctx context.Context) error {
	tried := make(chan struct{})
	j.mu.Lock()
	j.next.syncs = append(j.next.syncs, tried)
	j.mu.Unlock()
	j.poke()
	select {
	case <-tried:
		return nil
	case <-j.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the disk: %w", ctx.Err())
	}
}

// Failing says whether calls and chat cannot be written at the moment, because the disk is full or gone.
func (j *Journal) Failing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// Waiting is how many calls and lines of chat are queued.
func (j *Journal) Waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.next.order) + len(j.next.chat)
}

func (j *Journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *Journal) run() {
	defer close(j.done)
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	retry := time.NewTimer(0)
	running := make(map[callKey]bool) // calls without an end
	for {
		select {
		case <-j.wake:
		case <-alive.C:
		case <-retry.C:
		}
		j.mu.Lock()
		b, closed, failed := j.next, j.closed, j.failed
		j.next = batch{}
		j.mu.Unlock()
		for _, k := range b.order {
			if running[k] = true; !b.calls[k].Ended.IsZero() {
				delete(running, k)
			}
		}
		var err error
		if len(b.order)+len(b.chat)+len(b.reads)+len(running) > 0 || failed {
			err = j.write(b)
		}
		j.settle(b, err)
		switch {
		case err != nil && !failed:
			j.Logger.Error("calls and chat cannot be written", "error", err)
		case err == nil && failed:
			j.Logger.Info("calls and chat can be written again")
		}
		failed = err != nil
		j.mu.Lock()
		j.failed = failed
		j.mu.Unlock()
		if closed {
			if n := len(b.order); failed && n > 0 {
				j.Logger.Error("call records lost", "calls", n)
			}
			return
		}
		if failed {
			retry.Reset(retryAfter)
		}
	}
}

// write puts a batch into one transaction and fills in the ids of its messages.
func (j *Journal) write(b batch) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	tx, err := j.Store.write.BeginTx(ctx, nil)
	if err != nil {
		return explain("write", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, k := range b.order {
		if err := putCall(ctx, tx, b.calls[k]); isConstraint(err) {
			j.Logger.Error("a call does not fit its table", "call", k.id, "error", err) // trying again would not help
		} else if err != nil {
			return err
		}
	}
	for i := range b.chat {
		p := &b.chat[i]
		if p.m.ID, p.err = putMessage(ctx, tx, p.m); p.err != nil && !isConstraint(p.err) {
			return p.err
		}
	}
	for k, upTo := range b.reads {
		if err := putRead(ctx, tx, Read{k.user, k.with, upTo}); err != nil && !isConstraint(err) { // who has left meanwhile
			return err
		}
	}
	if err := putAlive(ctx, tx, time.Now()); err != nil {
		return err
	}
	return explain("write", tx.Commit())
}

// settle tells the senders, and keeps the calls, and what was read, of a batch that failed.
func (j *Journal) settle(b batch, err error) {
	for _, p := range b.chat {
		p.done(p.m, cmp.Or(err, p.err))
	}
	if err != nil {
		j.mu.Lock()
		later := j.next
		j.next = batch{chat: later.chat, syncs: later.syncs, reads: later.reads}
		for k, upTo := range b.reads {
			j.next.addRead(k, upTo)
		}
		for _, k := range b.order {
			j.next.add(b.calls[k], false)
		}
		for _, k := range later.order {
			j.next.add(later.calls[k], true)
		}
		j.mu.Unlock()
	}
	for _, s := range b.syncs {
		close(s)
	}
}
