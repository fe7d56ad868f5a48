package main

import vsignal "visavis.example/internal/signal"

// readInvite takes an invitation link apart; --server counts more than the server in it.
func (o *options) readInvite() {
	server, invite, ok := vsignal.InviteLink(o.invite)
	if !ok {
		return // the bare secret, or nothing
	}
	o.invite = invite
	if o.server == "" {
		o.server = server
	}
}
