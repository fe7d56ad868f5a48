package server

import "time"

// SweepStreams ends the sessions that nobody has come back to, as of a time.
func (s *Server) SweepStreams(now time.Time) { s.streams.sweep(now) }
