// Package limit counts how often something may happen: token buckets with the clock as an argument, and a bounded table
// of them for keys that strangers choose (addresses, account names). Accounts, sockets and the hub use it; it knows
// nothing of what it limits and starts no goroutine.
package limit

import (
	"sync"
	"time"
)

// Rate is a bucket's size and how fast it fills.
type Rate struct {
	Burst int           // tokens in a full bucket
	Every time.Duration // one more token each
}

// Bucket is a token bucket; the zero value is full. It is not safe for concurrent use.
type Bucket struct {
	debt time.Duration // how long until it is full, at the time at
	at   time.Time
}

// Take takes a token, or says after how long there will be one.
func (b *Bucket) Take(r Rate, now time.Time) (ok bool, wait time.Duration) {
	b.fill(now)
	if over := b.debt + r.Every - time.Duration(r.Burst)*r.Every; over > 0 {
		return false, over
	}
	b.debt += r.Every
	return true, 0
}

// Refund gives a token back.
func (b *Bucket) Refund(r Rate) {
	b.debt = max(0, b.debt-r.Every)
}

// Full says whether nothing is missing, so that the bucket can be forgotten.
func (b *Bucket) Full(now time.Time) bool {
	b.fill(now)
	return b.debt == 0
}

func (b *Bucket) fill(now time.Time) {
	if gone := now.Sub(b.at); gone > 0 {
		b.debt = max(0, b.debt-gone)
	}
	b.at = now
}

// Table holds one bucket per key. At most Max keys are kept: beyond that the full buckets go, and when too many are in
// use half of them are forgotten, which costs an attacker more keys than it wins.
type Table struct {
	Rate Rate
	Max  int // 0: 10000

	mu      sync.Mutex
	buckets map[string]*Bucket
}

// Take is Bucket.Take for a key.
func (t *Table) Take(key string, now time.Time) (ok bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[key]
	if b == nil {
		t.makeRoomLocked(now)
		b = &Bucket{}
		t.buckets[key] = b
	}
	return b.Take(t.Rate, now)
}

// Refund gives a token of a key back.
func (t *Table) Refund(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.buckets[key]; b != nil {
		b.Refund(t.Rate)
	}
}

func (t *Table) makeRoomLocked(now time.Time) {
	if t.buckets == nil {
		t.buckets = make(map[string]*Bucket)
	}
	most := t.Max
	if most == 0 {
		most = 10_000
	}
	if len(t.buckets) < most {
		return
	}
	for k, b := range t.buckets {
		if b.Full(now) {
			delete(t.buckets, k)
		}
	}
	for k := range t.buckets { // map order is random enough to choose who is forgotten
		if len(t.buckets) <= most/2 {
			return
		}
		delete(t.buckets, k)
	}
}
