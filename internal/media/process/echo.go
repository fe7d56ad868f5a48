package process

// canceller takes the echo away: finds the delay, follows the clocks, predicts what the room makes of the far end.
type canceller struct {
	finder *delayFinder
	filter *kalman
	clocks clocks

	pos      float64 // far index of what is handed over while the near block is captured
	placed   bool
	delay    int // samples that the filter's first tap is behind pos
	farBlock [block]float32
	echo     [block]float32
	in, out  float64 // power before and after the filter, smoothed
	poor     int     // looks of the finder in a row at which it was of no use
	age      int     // blocks since it began to learn
	bad      int     // blocks in a row that came out louder than they went in
	idle     bool
}

const (
	filterParts = 20  // 200 ms: a room after its delay
	settle      = 200 // blocks that a filter has to learn something
	poorFor     = 6   // looks, 100 ms apart
	headroom    = 240
	nearest     = sincTaps           // nearer the interpolation would need samples that are still to come
	inside      = 80 * second / 1000 // a response that begins so late within the filter still fits
)

func newCanceller() *canceller {
	return &canceller{finder: newDelayFinder(), filter: newKalman(block, filterParts, 0.9997), delay: nearest}
}

// reset forgets the room and its delay.
func (c *canceller) reset() {
	c.finder.reset()
	c.begin()
	c.placed, c.delay = false, nearest
}

// run leaves in rest what is no echo of h in near. It is false when there was nothing to be heard of the far end, and
// nothing done. pos is the index of what was handed over when near's first sample was captured.
func (c *canceller) run(h *history, near, rest []float32) bool {
	c.idle = h.quiet > farSilentFor
	if c.idle {
		return false
	}
	h.copy(c.farBlock[:], int64(c.pos)-readBack)
	if d, sure := c.finder.add(near, c.farBlock[:]); sure {
		c.align(d)
	}
	step := 1 + c.clocks.drift
	h.between(c.farBlock[:], c.pos-float64(c.delay), step)
	c.filter.predict(c.farBlock[:], c.echo[:])
	in, out := float32(0), float32(0)
	for i, v := range near {
		rest[i] = v - c.echo[i]
		in += v * v
		out += rest[i] * rest[i]
	}
	c.filter.learn(rest)
	c.in += (float64(in) - c.in) / 50
	c.out += (float64(out) - c.out) / 50
	c.age++
	c.pos += c.clocks.follow(c.echo[:], rest, in, out)
	if !(out < 2*in+1e-4) { // also when it is not a number
		copy(rest, near)
		clear(c.echo[:])
		if c.bad++; c.bad > 20 || out != out {
			c.begin()
		}
	} else if c.bad > 0 {
		c.bad--
	}
	return true
}

// advance goes on to the next block.
func (c *canceller) advance() { c.pos += block * (1 + c.clocks.drift) }

// lost says that the place is outside of what is there: a clock jumped, or the far end began anew.
func (c *canceller) lost(h *history) bool {
	ahead := c.pos - float64(h.end)
	return ahead > 0.2*second || ahead < -0.5*second
}

// align moves the filter when the response does not begin within it, and lets it begin anew when for a while it finds
// nothing where the finder does: the room has changed. The clocks have not.
func (c *canceller) align(d int) {
	fits := d > c.delay && d < c.delay+inside
	works := c.out < c.in/4
	if works || fits && (c.out < c.in/2 || c.age < settle || c.finder.left > c.finder.heard/4) {
		c.poor = 0
		return
	}
	if c.poor++; fits && c.poor < poorFor {
		return
	}
	if !fits {
		c.delay = max(d-headroom, nearest)
	}
	drift := c.clocks.drift
	c.begin()
	c.clocks.drift = drift
}

// begin lets the filter and the clocks learn anew.
func (c *canceller) begin() {
	c.filter.reset()
	c.clocks, c.bad, c.age, c.poor = clocks{}, 0, 0, 0
}

// clocks follows the two devices' clocks: where the echo comes a little later than predicted, what is left is the
// prediction's slope, turned over. A loop of second order brings that lag to nothing, as a receiver follows a carrier.
type clocks struct {
	drift  float64 // how much faster the far end is read than one sample a sample
	ey, yy float64 // correlation of rest and slope, and the slope's power; smoothed
	e, y   float64 // power of rest and of prediction, smoothed
}

const (
	maxDrift  = 1000e-6
	pullPhase = 4  // of the lag, a second
	pullRate  = 15 // of the lag, a second squared
)

// follow gives by how many samples to move at once.
func (c *clocks) follow(echo, rest []float32, in, out float32) (move float64) {
	ey, yy, y := 0.0, 0.0, 0.0
	for i := 1; i+1 < len(echo); i++ {
		s := float64(echo[i+1]-echo[i-1]) / 2
		ey += float64(rest[i]) * s
		yy += s * s
		y += float64(echo[i]) * float64(echo[i])
	}
	c.ey += (ey - c.ey) / 10
	c.yy += (yy - c.yy) / 10
	c.e += (float64(out) - c.e) / 10
	c.y += (y - c.y) / 10
	if c.yy < 1e-9 || y < 1e-5 || c.e > c.y {
		return 0
	}
	trust := c.y / (c.y + 4*c.e)
	lag := -c.ey / c.yy * trust // samples that the echo is later
	lag = min(max(lag, -8), 8)
	const dt = float64(block) / second
	c.drift = min(max(c.drift-pullRate*dt*lag/second, -maxDrift), maxDrift)
	return -pullPhase * dt * lag
}
