package signal

// Hurry ends the present pause between two tries to connect, if there is one, and has the pauses begin small again.
func (c *Client) Hurry() {
	if c.hurry == nil {
		return // not started
	}
	select {
	case c.hurry <- struct{}{}:
	default:
	}
}
