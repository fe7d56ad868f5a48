// The runner of the call machine with a made-up server, media connection and camera: what it says on the wire, when it opens
// and lets go of devices, and what it makes of a link that is cut.
import assert from 'node:assert/strict';
import test, {beforeEach} from 'node:test';
import {FakePeerConnection, FakeTrack, asked, bob, cut, forget, ice, looked, make, mend, said, settle} from '../fakes.js';

const {RequestError} = await import('../static/js/link.js');

beforeEach(forget);

test('a call out: invite, ring, offer, media, hang up', async () => {
    const {calling, sent, heard, push} = make();
    calling.dial('bob', true);
    const {id} = calling.state;
    assert.equal(calling.state.phase, 'dialing');
    assert.deepEqual(asked, [[true, true]], 'devices are asked for while it rings');
    await settle();
    push(10101, id, {devices: 2});
    assert.deepEqual([calling.state.phase, calling.devices], ['ringing_out', 2]);
    assert.deepEqual(heard, [['ringback', 'Bob']]);
    push(10102, id, {video: true, iceServers: ice});
    await settle();
    const [pc] = FakePeerConnection.all;
    assert.deepEqual(pc.config.iceServers, ice);
    assert.deepEqual(pc.transceivers.map(t => [t.receiver.track.kind, t.direction, t.sender.track?.kind]), [['audio', 'sendrecv', 'audio'], ['video', 'sendrecv', 'video']]);
    assert.deepEqual(said(sent, 'Message/Offer'), [['Message/Offer', id, {sdp: 'v=0 offer'}]]);
    const {change, ...switches} = said(sent, 'Call/Media').at(-1)[2];
    assert.deepEqual(switches, {microphone: true, camera: true, screen: undefined});
    assert.ok(change > 0);
    push(10009, id, {candidate: 'early'});
    push(10011, id, {sdp: 'v=0 theirs'});
    push(10009, id, {candidate: 'late'});
    await settle();
    assert.deepEqual(pc.candidates, ['early', 'late'], 'a candidate waits for the description');
    pc.become('connected');
    assert.equal(calling.state.phase, 'active');
    await calling.capture.setCamera(false);
    await settle();
    assert.equal(FakeTrack.all.find(t => t.kind === 'video').stopped, true, 'the light goes out');
    assert.equal(pc.transceivers[1].sender.track, null);
    assert.equal(said(sent, 'Call/Media').at(-1)[2].camera, false);
    calling.hangup();
    assert.deepEqual([calling.state.phase, calling.state.reason, pc.closed], ['ended', 'hangup', true]);
    assert.ok(FakeTrack.all.every(t => t.stopped));
    assert.deepEqual(said(sent, 'Call/Hangup'), [['Call/Hangup', id, {reason: 'hangup'}]]);
});

test('a call in: ring, accept without camera, answer', async () => {
    const {calling, sent, heard, push} = make({'Call/Accept': {video: false, iceServers: ice}});
    push(10100, 'c1', {video: true, from: {...bob, id: 'zoe', name: 'Zoe'}});
    assert.deepEqual([calling.state.phase, calling.peer.name, calling.theirs.camera], ['incoming', 'Zoe', true]);
    assert.deepEqual(heard, [['ring', 'Zoe']]);
    assert.deepEqual([asked, looked.count], [[], 1], 'nobody is filmed before they accept, but the devices are at hand');
    calling.accept(false);
    await settle();
    assert.deepEqual([calling.state.phase, asked], ['connecting', [[true, false]]]);
    push(10010, 'c1', {sdp: 'v=0 theirs'});
    await settle();
    assert.deepEqual(FakePeerConnection.all[0].transceivers.map(t => t.direction), ['sendrecv', 'sendrecv'], 'a camera can come later');
    assert.deepEqual(said(sent, 'Message/Answer'), [['Message/Answer', 'c1', {sdp: 'v=0 answer'}]]);
    push(10103, 'c1', {reason: 'hangup', byId: 'zoe'});
    assert.deepEqual([calling.state.phase, calling.endedBy], ['ended', 'zoe']);
    calling.dismiss();
    assert.equal(calling.state.phase, 'idle');
});

test('both dial: the other’s invite is not refused, and its call is taken', async () => {
    const {calling, sent, push} = make({'Call/Invite': async () => {
        push(10100, 'theirs', {video: true, from: bob});
        return {merged: 'theirs', iceServers: ice, peer: bob, video: true};
    }});
    calling.dial('bob', true);
    await settle();
    assert.deepEqual(said(sent, 'Call/Reject'), []);
    assert.deepEqual([calling.state.phase, calling.state.id, calling.state.outgoing], ['connecting', 'theirs', false]);
    assert.equal(FakePeerConnection.all[0].offers.length, 0, 'the callee waits for the offer');
    calling.hangup();
});

test('what was settled while it rang leaves no page to close', async () => {
    const {calling, sent, heard, push} = make();
    push(10100, 'c1', {video: false, from: bob});
    calling.decline();
    assert.deepEqual([calling.state.phase, heard.at(-1)], ['idle', ['quiet']]);
    assert.deepEqual(said(sent, 'Call/Reject'), [['Call/Reject', 'c1', {reason: 'declined'}]]);
    push(10103, 'c1', {reason: 'declined'});
    assert.deepEqual([calling.state.phase, heard.at(-1)], ['idle', ['recorded']]);
    for (const [reason, phase] of [['answered_elsewhere', 'idle'], ['declined_elsewhere', 'idle'], ['cancelled', 'ended'], ['no_answer', 'ended']]) {
        push(10100, reason, {video: false, from: bob});
        push(10103, reason, {reason});
        assert.equal(calling.state.phase, phase, `${reason}: who was missed is said`);
        calling.dismiss();
    }
    calling.dial('bob', false);
    push(10103, calling.state.id, {reason: 'declined'});
    assert.equal(calling.state.phase, 'ended', 'who was declined is told');
});

test('a second caller hears busy', () => {
    const {calling, sent, push} = make();
    calling.dial('bob', false);
    push(10100, 'c2', {video: false, from: {...bob, id: 'eve', name: 'Eve'}});
    assert.deepEqual(said(sent, 'Call/Reject'), [['Call/Reject', 'c2', {reason: 'busy'}]]);
    assert.equal(calling.peer.name, 'Bob');
    calling.hangup();
});

test('refusals become end reasons', async () => {
    for (const [code, reason] of [['already_in_call', 'already_in_call'], ['not_found', 'offline'], ['too_many', 'too_many']]) {
        const {calling} = make({'Call/Invite': () => {
            throw new RequestError(code, 'no');
        }});
        calling.dial('bob', false);
        await settle();
        assert.deepEqual([calling.state.phase, calling.state.reason], ['ended', reason]);
    }
    const {calling, push} = make({'Call/Accept': () => {
        throw new RequestError('already_answered', 'no');
    }});
    push(10100, 'c1', {video: false, from: bob});
    calling.accept(false);
    await settle();
    assert.equal(calling.state.reason, 'answered_elsewhere');
});

test('without a server, a call ends at once and says so', async () => {
    const {calling, link} = make();
    link.online = false;
    calling.dial('bob', false);
    await settle();
    assert.deepEqual([calling.state.phase, calling.state.reason], ['ended', 'server_lost']);
});

test('what could not be said is said when the link is back', async () => {
    const made = make();
    const {calling, sent, push} = made;
    calling.dial('bob', false);
    await settle();
    const {id} = calling.state;
    push(10102, id, {video: false, iceServers: ice});
    await settle();
    FakePeerConnection.all[0].become('connected');
    cut(made);
    calling.capture.setMicrophone(false);
    await settle();
    calling.hangup();
    await settle();
    await mend(made, id);
    assert.deepEqual(said(sent, 'Call/Hangup'), [['Call/Hangup', id, {reason: 'hangup'}]]);
});

test('a call that the server no longer knows has ended, as its record says', async () => {
    const {calling, push} = make();
    calling.dial('bob', false);
    const {id} = calling.state;
    await settle();
    push(10102, id, {video: false, iceServers: ice});
    await calling.online({});
    assert.deepEqual([calling.state.phase, calling.state.reason, calling.endedBy], ['ended', 'hangup', 'bob']);
});

test('a call that the server still knows goes on', async () => {
    const {calling, push} = make();
    calling.dial('bob', false);
    const {id} = calling.state;
    await settle();
    push(10102, id, {video: false, iceServers: ice});
    await calling.online({callId: id});
    assert.equal(calling.state.phase, 'connecting');
    calling.hangup();
});

test('an invite that was given up while the link was cut is not made when it is back', async () => {
    const lost = () => {
        link.online = false;
        throw new RequestError('offline', 'cut');
    };
    const {calling, sent, link, answers} = make({'Call/Invite': lost, 'Call/Cancel': lost});
    calling.dial('bob', false);
    const {id} = calling.state;
    await settle();
    calling.hangup();
    await settle();
    sent.length = 0;
    Object.assign(answers, {'Call/Invite': {}, 'Call/Cancel': {}});
    link.online = true;
    await calling.online({});
    await settle();
    assert.deepEqual(sent.map(([m, call]) => [m, call]), [['Call/Cancel', id]]);
});

test('a dialled call that the server took and ended while the link was cut has ended', async () => {
    const {calling} = make();
    calling.dial('bob', false);
    await settle();
    await calling.online({});
    assert.deepEqual([calling.state.phase, calling.state.reason], ['ended', 'hangup']);
});

test('an offer that comes before the reply to an accept is kept for it', async () => {
    let reply;
    const {calling, sent, push} = make({'Call/Accept': () => new Promise(resolve => {
        reply = resolve;
    })});
    push(10100, 'c1', {video: false, from: bob});
    calling.accept(false);
    push(10010, 'c1', {sdp: 'v=0 theirs'});
    push(10009, 'c1', {candidate: 'early'});
    reply({video: false, iceServers: ice});
    await settle();
    assert.deepEqual(said(sent, 'Message/Answer'), [['Message/Answer', 'c1', {sdp: 'v=0 answer'}]]);
    assert.deepEqual(FakePeerConnection.all[0].candidates, ['early']);
    calling.hangup();
});

test('devices that open after the call has ended are let go at once', async () => {
    const {calling} = make();
    calling.dial('bob', true);
    calling.hangup();
    await settle();
    assert.equal(FakeTrack.all.length, 2);
    assert.ok(FakeTrack.all.every(t => t.stopped));
});

test('a page that is left says goodbye', async () => {
    const {calling, sent, push} = make();
    calling.leave();
    calling.dial('bob', false);
    calling.leave();
    push(10102, calling.state.id, {video: false, iceServers: ice});
    calling.leave();
    assert.deepEqual(sent.filter(([m]) => m === 'last').map(([, m]) => m), ['Call/Cancel', 'Call/Hangup']);
    calling.hangup();
});

test('a lost connection is offered again by the caller', async () => {
    const {calling, sent, push} = make();
    calling.dial('bob', false);
    const {id} = calling.state;
    await settle();
    push(10102, id, {video: false, iceServers: ice});
    await settle();
    push(10011, id, {sdp: 'v=0 theirs'});
    await settle();
    const [pc] = FakePeerConnection.all;
    pc.become('connected');
    const {setTimeout} = globalThis, due = [];
    globalThis.setTimeout = (f, ms) => due.push([f, ms]);
    pc.become('disconnected');
    globalThis.setTimeout = setTimeout;
    assert.equal(calling.state.phase, 'reconnecting');
    due.filter(([, ms]) => ms === 2000).forEach(([f]) => f());
    await settle();
    assert.deepEqual(pc.offers, [{iceRestart: false}, {iceRestart: true}]);
    assert.equal(said(sent, 'Message/Offer').length, 2);
    pc.become('connected');
    assert.equal(calling.state.phase, 'active');
    pc.signalingState = 'have-local-offer';
    push(10010, id, {sdp: 'v=0 restart of theirs'});
    await settle();
    assert.equal(said(sent, 'Message/Answer').length, 0, 'both offered: the callee gives way');
    calling.hangup();
});

const relay = 'candidate:1 1 udp 41885439 198.51.100.1 50000 typ relay raddr 192.0.2.77 rport 4000';
const hidden = 'candidate:1 1 udp 41885439 198.51.100.1 50000 typ relay raddr 0.0.0.0 rport 0';
const host = 'candidate:1 1 udp 2130706431 192.0.2.9 4321 typ host';
const found = (pc, candidate) => pc.onicecandidate({candidate: {candidate, sdpMid: '0', sdpMLineIndex: 0}});

test('connected while it rings, caller: no media and no address before accept, the others closed after it', async () => {
    const {calling, sent, push} = make();
    calling.dial('bob', true);
    const {id} = calling.state;
    assert.equal(said(sent, 'Call/Invite')[0][2].early, true);
    await settle();
    for (const device of ['1', '2', '1']) // one is said again after a cut
        push(10101, id, {devices: 2, device, iceServers: ice});
    await settle();
    assert.equal(FakePeerConnection.all.length, 2);
    assert.deepEqual(said(sent, 'Message/Offer').map(([,, data]) => data), [{sdp: 'v=0 offer', device: '1'}, {sdp: 'v=0 offer', device: '2'}]);
    const [one, two] = FakePeerConnection.all;
    push(10011, id, {sdp: 'v=0 theirs', device: '2'});
    push(10009, id, {candidate: host, device: '2'});
    push(10009, id, {candidate: hidden, device: '2'});
    found(two, relay);
    found(two, host);
    await settle();
    assert.deepEqual(two.candidates, [hidden], 'only a relay is tried');
    assert.deepEqual(said(sent, 'Message/Candidate').map(([,, data]) => data.candidate), [hidden], 'only a relay is told');
    two.become('connected');
    assert.equal(calling.state.phase, 'ringing_out');
    assert.ok([one, two].every(pc => pc.transceivers.every(t => t.sender.track === null)), 'no media before accept');
    assert.equal(calling.remote, null);
    push(10102, id, {video: true, iceServers: ice, device: '2'});
    await settle();
    assert.equal(calling.state.phase, 'active');
    assert.deepEqual([one.closed, two.closed, FakePeerConnection.all.length], [true, undefined, 2]);
    assert.deepEqual(two.transceivers.map(t => t.sender.track?.kind), ['audio', 'video']);
    assert.equal(said(sent, 'Message/Candidate').at(-1)[2].candidate, host, 'now the direct ones are told');
    push(10105, id);
    await settle();
    await settle();
    assert.equal(two.offers.at(-1).iceRestart, true, 'another path is offered when the other asks');
    calling.hangup();
});

test('connected while it rings, callee: nothing is opened before accept, and all flows at once after it', async () => {
    const {calling, sent, push} = make({'Call/Ringing': {iceServers: ice}, 'Call/Accept': {video: true, iceServers: ice}});
    push(10100, 'call-1', {video: true, early: true, from: bob});
    assert.equal(said(sent, 'Call/Ringing')[0][2].early, true);
    await settle();
    push(10010, 'call-1', {sdp: 'v=0 theirs'});
    await settle();
    const [pc] = FakePeerConnection.all;
    assert.deepEqual(said(sent, 'Message/Answer').map(([,, data]) => data), [{sdp: 'v=0 answer'}]);
    pc.become('connected');
    assert.deepEqual([asked.length, calling.state.phase], [0, 'incoming']);
    calling.accept(true);
    await settle();
    assert.equal(said(sent, 'Call/Accept')[0][2].early, true);
    assert.deepEqual([calling.state.phase, FakePeerConnection.all.length], ['active', 1]);
    assert.deepEqual(pc.transceivers.map(t => t.sender.track?.kind), ['audio', 'video']);
    // The caller has lost its side and begins anew.
    push(10010, 'call-1', {sdp: 'v=0 anew', fresh: true});
    await settle();
    assert.deepEqual([pc.closed, FakePeerConnection.all.length, FakePeerConnection.all[1].remoteDescription.sdp], [true, 2, 'v=0 anew']);
    calling.hangup();
});

test('an early connection that fails is made anew after accept', async () => {
    const {calling, sent, push} = make();
    calling.dial('bob', true);
    const {id} = calling.state;
    await settle();
    push(10101, id, {devices: 1, device: '1', iceServers: ice});
    await settle();
    FakePeerConnection.all[0].become('failed');
    assert.equal(calling.state.phase, 'ringing_out');
    push(10102, id, {video: true, iceServers: ice, device: '1'});
    await settle();
    assert.deepEqual(said(sent, 'Message/Offer').at(-1)[2], {sdp: 'v=0 offer', fresh: true});
    calling.hangup();
    assert.ok(FakePeerConnection.all.every(pc => pc.closed));
});
