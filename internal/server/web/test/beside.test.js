// What two pages say to each other beside the server, and what a page makes of a server that was restarted.
import assert from 'node:assert/strict';
import test, {beforeEach} from 'node:test';
import {FakeChannel, FakePeerConnection, bob, cut, forget, ice, make, mend, said, settle} from '../fakes.js';

const {Channel, maxSay} = await import('../static/js/channel.js');

beforeEach(forget);

/** A call that this page dialled, media flowing, with an open data channel. */
async function talking(answers) {
    const made = make(answers);
    const {calling, push} = made;
    calling.dial('bob', true);
    const {id} = calling.state;
    await settle();
    push(10102, id, {video: true, iceServers: ice});
    await settle();
    const [pc] = FakePeerConnection.all;
    push(10011, id, {sdp: 'v=0 theirs'});
    await settle();
    pc.become('connected');
    pc.channel.open();
    return {...made, id, pc, channel: pc.channel};
}

test('switches and hang-up go over the data channel while the server is away', async () => {
    const call = await talking();
    const {calling, sent, id, pc, channel} = call;
    cut(call);
    calling.capture.setMicrophone(false);
    await settle();
    const {callId, data} = channel.said('Call/Media').at(-1);
    assert.deepEqual([callId, data.microphone, data.camera], [id, false, true]);
    channel.hear('Call/Media', id, {microphone: true, camera: false, paused: true, change: 2});
    channel.hear('Call/Media', id, {microphone: true, camera: true, change: 1});
    assert.deepEqual(calling.theirs, {microphone: true, camera: false, paused: true}, 'what comes late undoes nothing');
    calling.hangup();
    assert.equal(channel.said('Call/Hangup').length, 1);
    assert.ok(!pc.closed, 'the last word gets time to leave');
    await settle();
    await mend(call, id);
    assert.deepEqual(said(sent, 'Call/Hangup'), [['Call/Hangup', id, {reason: 'hangup'}]]);
});

test('the other hangs up over the data channel, and the server hears of it from here too', async () => {
    const {calling, sent, id, channel} = await talking();
    channel.hear('Call/Hangup', id, {});
    assert.deepEqual([calling.state.phase, calling.state.reason, calling.endedBy], ['ended', 'hangup', 'bob']);
    assert.deepEqual(said(sent, 'Call/Hangup'), [['Call/Hangup', id, {reason: 'hangup', byId: 'bob'}]]);
});

test('nonsense over the data channel changes nothing', async t => {
    t.mock.method(console, 'debug', () => {});
    const {calling, sent, id, channel, pc} = await talking();
    const before = JSON.stringify([calling.state, calling.theirs]);
    const offers = pc.offers.length;
    sent.length = 0;
    for (const text of ['', '{', 'null', '[]', '{"method":7}', '['.repeat(4000), new ArrayBuffer(3), 'x'.repeat(maxSay + 1)])
        channel.onmessage({data: text});
    channel.hear('Call/Hangup', 'another', {});
    channel.hear('Call/Hangup', undefined, {});
    channel.hear('Call/Hangup', id, {reason: 'declined'});
    channel.hear('Call/Media', id, {microphone: true});
    channel.hear('Call/Restart', id, {offers: -1});
    for (const method of ['Call/Ended', 'Call/Invite', 'Call/Servers', 'Message/Offer', 'constructor', '__proto__'])
        channel.hear(method, id, {sdp: 'v=0', reason: 'hangup'});
    await settle();
    assert.equal(JSON.stringify([calling.state, calling.theirs]), before);
    assert.deepEqual([sent, pc.offers.length], [[], offers]);
    calling.hangup();
});

test('a restart that was asked for before the last offer asks for what has been done', async () => {
    const {calling, id, channel, pc} = await talking();
    channel.hear('Call/Restart', id, {offers: 1});
    await settle();
    await settle();
    assert.equal(pc.offers.length, 2);
    pc.signalingState = 'stable';
    channel.hear('Call/Restart', id, {offers: 1});
    await settle();
    await settle();
    assert.equal(pc.offers.length, 2);
    calling.hangup();
});

test('after a restart of the server, a relayed call seeks another path with new servers', async () => {
    const anew = [{urls: ['turn:y'], username: 'new'}];
    for (const [run, relayed, restarts] of [['second', true, true], ['first', true, false], ['', true, false], ['second', false, false]]) {
        forget();
        const {calling, id, pc} = await talking();
        await calling.online({callId: id, run: 'first', iceServers: ice});
        if (relayed)
            calling.quality.path = 'relay';
        await calling.online({callId: id, run, iceServers: anew});
        await settle();
        await settle();
        assert.deepEqual(pc.config.iceServers, anew);
        assert.equal(pc.offers.length, restarts ? 2 : 1, `${run}, relayed: ${relayed}`);
        assert.equal(calling.state.phase, 'active');
        calling.hangup();
    }
});

test('a way that is lost with its network is sought anew at once', async () => {
    for (const first of ['disconnected', 'changed']) {
        forget();
        const {calling, pc} = await talking();
        if (first === 'changed') {
            calling.networkChanged();
            await settle();
            await settle();
            assert.equal(pc.offers.length, 1, 'a way that carries is kept');
        }
        pc.become('disconnected');
        if (first === 'disconnected')
            calling.networkChanged();
        await settle();
        await settle();
        assert.deepEqual(pc.offers.map(o => o.iceRestart), [false, true], first);
        pc.become('connected');
        calling.hangup();
    }
});

test('what the relay is asked with is renewed during a call, and nothing is sought for that', async () => {
    const {calling, id, pc, push} = await talking();
    const anew = [{urls: ['turn:y'], username: 'new'}];
    push(10106, 'another', {iceServers: [{urls: ['turn:z']}]});
    assert.deepEqual(pc.config.iceServers, ice);
    push(10106, id, {iceServers: anew});
    push(10106, id, {iceServers: []});
    await settle();
    assert.deepEqual([pc.config.iceServers, pc.offers.length, calling.state.phase], [anew, 1, 'active']);
    calling.hangup();
    push(10106, id, {iceServers: ice});
    assert.deepEqual(pc.config.iceServers, anew);
});

test('a connection that is up is not offered anew by itself', async t => {
    const {calling, id, pc, push} = await talking();
    t.mock.timers.enable({apis: ['setTimeout']});
    push(10105, id);
    t.mock.timers.tick(1);
    t.mock.timers.reset();
    await settle();
    assert.equal(pc.offers.length, 2, 'the other has asked for it');
    calling.hangup();
});

test('while media is gone too, the server is asked for at a steady pace', async t => {
    const {calling, heard, link, pc} = await talking();
    t.mock.timers.enable({apis: ['setTimeout']});
    link.online = false;
    pc.become('disconnected');
    for (let i = 0; i < 3; i++)
        t.mock.timers.tick(2000);
    assert.equal(heard.filter(([what]) => what === 'hurry').length, 3);
    pc.become('connected');
    for (let i = 0; i < 3; i++)
        t.mock.timers.tick(2000);
    assert.equal(heard.filter(([what]) => what === 'hurry').length, 3);
    t.mock.timers.reset();
    calling.hangup();
});

test('what the caller says before the accept is answered is heeded after it', async () => {
    let reply;
    const {calling, push} = make({'Call/Ringing': {iceServers: ice}, 'Call/Accept': () => new Promise(resolve => {
        reply = resolve;
    })});
    push(10100, 'c1', {video: false, early: true, from: bob});
    await settle();
    push(10010, 'c1', {sdp: 'v=0 theirs'});
    await settle();
    const [pc] = FakePeerConnection.all;
    const channel = new FakeChannel();
    pc.ondatachannel({channel});
    const stranger = new FakeChannel('files');
    pc.ondatachannel({channel: stranger});
    assert.equal(stranger.readyState, 'closed');
    channel.open();
    pc.become('connected');
    calling.accept(false);
    channel.hear('Call/Media', 'c1', {microphone: false, camera: true, change: 1});
    assert.equal(calling.state.phase, 'accepting');
    reply({video: false, iceServers: ice});
    await settle();
    assert.deepEqual(calling.theirs, {microphone: false, camera: true});
    assert.ok(channel.said('Call/Media').length > 0, 'and this side has told its own');
    calling.hangup();
});

test('a flood is bounded, and in the end the channel is closed', () => {
    const heard = [];
    const channel = new Channel({onOpen() {}, onText: text => heard.push(text)});
    const dc = new FakeChannel();
    channel.take(dc);
    assert.equal(channel.say('too early'), false);
    dc.open();
    for (let i = 0; i < 100; i++)
        dc.onmessage({data: 'flood'});
    assert.ok(heard.length >= 50 && heard.length < 60, `${heard.length} were heard`);
    assert.equal(channel.refused, 100 - heard.length);
    for (let i = 0; i < 300; i++)
        dc.onmessage({data: 'flood'});
    assert.equal(dc.readyState, 'closed');
    assert.equal(channel.say('after the end'), false);
});
