package peer

import (
	"slices"
	"testing"
	"time"
)

// How long a packet is asked for depends on how long it takes to come and on how fast what waits behind it is gone
// through.
func TestRepairIsOfUseAsLongAsItIsQuicker(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		what                    string
		interval, decode, round time.Duration
		want                    time.Duration
	}{
		{"nothing is known of the decoder: as long as the sender has it", 0, 0, 50 * ms, resendFor - 50*ms},
		{"far away it must leave earlier", 0, 0, 300 * ms, resendFor - 300*ms},
		{"a fast decoder: the same", 33 * ms, 2 * ms, 50 * ms, resendFor - 50*ms},
		// A request at 230 ms brings the packet at 280, when 8.5 pictures wait: 85 ms of decoding. A key frame asked for
		// at 230 comes at 280 as well, or up to a picture's time later.
		{"a slow one is quicker with a key frame", 33 * ms, 10 * ms, 50 * ms, 223900 * time.Microsecond},
		{"not where that is far away as well", 33 * ms, 10 * ms, 200 * ms, 568900 * time.Microsecond},
		{"half as many pictures wait", 66 * ms, 10 * ms, 50 * ms, 715600 * time.Microsecond},
		{"too slow for any backlog: a second try nevertheless", 33 * ms, 40 * ms, 50 * ms, 100 * ms},
		{"so far away that two tries are more than the sender keeps", 0, 0, 800 * ms, resendFor - 800*ms},
		{"farther than it keeps anything: once", 0, 0, 1500 * ms, askedOnce},
		{"next door, and a decoder that was held up", 33 * ms, 40 * ms, 3 * ms, leastUseful},
		{"many pictures a second fill the decoder's queue", 10 * ms, 0, 50 * ms, 550 * ms},
	} {
		got := showing{interval: c.interval, decode: c.decode}.usefulFor(c.round)
		if absDuration(got-c.want) > time.Microsecond {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// unanswered lets time pass over a hole of one packet while pictures go on, 30 a second, and says when its packet was asked
// for and when a key frame.
func unanswered(b *bench, f *feed, d time.Duration) (asked, keys []time.Duration) {
	began := b.now
	for at := time.Duration(0); at < d; at += 5 * time.Millisecond {
		b.now = began.Add(at)
		if at%(35*time.Millisecond) == 0 {
			b.put(f.picture(false, 1)...)
		}
		b.take()
		if len(b.a.requests(b.now, b.rtt, nil)) > 0 {
			asked = append(asked, at)
		}
		if b.a.askKey(b.now, b.rtt, false) {
			keys = append(keys, at)
		}
	}
	return asked, keys
}

// A hole that nobody fills: requests end when the playout could not use the packet any more, and a key frame is asked for
// besides well before that. A slow decoder gives up early.
func TestRequestsEndWithTheirUse(t *testing.T) {
	for _, decode := range []time.Duration{0, 10 * time.Millisecond} {
		b, f := newBench(t), newFeed(codecVP8, 7)
		b.a.narrow, b.a.showing.decode = true, decode // no repeats
		b.put(f.picture(true, 2)...)
		b.put(f.picture(false, 2)[:1]...)
		until := showing{decode: decode, interval: 35 * time.Millisecond}.usefulFor(b.rtt)
		asked, keys := unanswered(b, f, 2*time.Second)
		last := asked[len(asked)-1]
		if last > until+5*time.Millisecond || asked[1] < b.rtt || decode > 0 && last < until-2*b.rtt {
			t.Errorf("decoding takes %v: asked at %v, of use until %v", decode, asked, until)
		}
		if len(keys) == 0 || keys[0] > max(keyAfter*b.rtt, keyAfterLeast)+5*time.Millisecond {
			t.Errorf("decoding takes %v: key frames asked for at %v", decode, keys)
		}
		if b.want(1); !b.a.needKey {
			t.Error("still waits for a packet that will not come")
		}
	}
}

// A repair that comes although a key frame was asked for already moves the picture on at once.
func TestLateRepairIsTakenBeforeTheKeyFrame(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 2)...)
	hit := f.picture(false, 2)
	b.put(hit[0])
	if _, keys := unanswered(b, f, 600*time.Millisecond); len(keys) == 0 {
		t.Fatal("no key frame was asked for")
	}
	b.want(1)
	hit[1].how = resent
	b.put(hit[1])
	b.want(2 + 18) // all that waited
	if _, keys := unanswered(b, f, 600*time.Millisecond); len(keys) > 0 || b.a.needKey {
		t.Errorf("asked for a key frame at %v though nothing is missing", keys)
	}
}

// What a key frame or a recovery frame that is there makes needless is not asked for, nor what is before one that has begun
// to come when nothing else helps. What that lacks itself is.
func TestNothingBeforeAnEntryIsAskedFor(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	b.put(f.picture(false, 3)[1:]...)
	b.put(f.picture(true, 2)...) // the hole is younger than overtakeAfter, but its packet would come later than that
	if asked := b.a.requests(b.now, b.rtt, nil); len(asked) > 0 || b.a.needKey {
		t.Errorf("asked for %v before a whole key frame", asked)
	}
	b.rtt = 10 * time.Millisecond // there it comes first
	if asked := b.a.requests(b.now, b.rtt, nil); len(asked) != 1 {
		t.Errorf("asked for %v", asked)
	}

	b, f = newBench(t), newFeed(codecVP8, 7)
	b.put(f.picture(true, 1)...)
	b.a.decoderLost(b.now)
	b.put(f.picture(false, 3)[1:]...)
	key := f.picture(true, 3)
	b.put(key[0], key[2])
	if asked := b.a.requests(b.now, b.rtt, nil); !slices.Equal(asked, []uint16{key[1].sequence}) {
		t.Errorf("asked for %v, the key frame lacks %d", asked, key[1].sequence)
	}
}

// The time between pictures is learned from what is given; jumps and pauses count little.
func TestIntervalIsLearned(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	for i := range 100 {
		b.put(f.picture(i == 0, 1)...)
		f.rtpTime += 3000 // 15 a second
		if i == 90 {
			f.rtpTime += 900_000
		}
	}
	if got := b.a.showing.interval; got < 66*time.Millisecond || got > 75*time.Millisecond {
		t.Errorf("learned %v", got)
	}
}
