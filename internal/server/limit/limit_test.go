package limit

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestBucket(t *testing.T) {
	r := Rate{Burst: 3, Every: 10 * time.Second}
	var b Bucket
	for i := range 3 {
		if ok, _ := b.Take(r, start); !ok {
			t.Fatalf("take %d of a full bucket of 3 was refused", i+1)
		}
	}
	ok, wait := b.Take(r, start.Add(4*time.Second))
	if ok || wait != 6*time.Second {
		t.Fatalf("empty bucket after 4 s: ok %v, wait %v; want refused for 6 s", ok, wait)
	}
	if ok, _ := b.Take(r, start.Add(10*time.Second)); !ok {
		t.Fatal("no token after 10 s")
	}
	b.Refund(r)
	if ok, _ := b.Take(r, start.Add(10*time.Second)); !ok {
		t.Fatal("a refunded token cannot be taken")
	}
	if !b.Full(start.Add(time.Hour)) {
		t.Fatal("not full after an hour")
	}
}

func TestClockGoingBackGivesNothing(t *testing.T) {
	r := Rate{Burst: 1, Every: time.Second}
	var b Bucket
	b.Take(r, start)
	if ok, _ := b.Take(r, start.Add(-time.Hour)); ok {
		t.Fatal("a clock set back filled the bucket")
	}
}

func TestTableIsBounded(t *testing.T) {
	tab := Table{Rate: Rate{Burst: 1, Every: time.Minute}, Max: 100}
	for i := range 10_000 {
		tab.Take(fmt.Sprint("stranger ", i), start)
	}
	if n := len(tab.buckets); n > 100 {
		t.Fatalf("%d keys kept, at most 100", n)
	}
	if ok, _ := tab.Take("someone", start); !ok {
		t.Fatal("a new key is refused")
	}
	if ok, wait := tab.Take("someone", start); ok || wait != time.Minute {
		t.Fatalf("second take: ok %v, wait %v; want refused for a minute", ok, wait)
	}
	tab.Refund("someone")
	if ok, _ := tab.Take("someone", start); !ok {
		t.Fatal("a refunded key is refused")
	}
}
