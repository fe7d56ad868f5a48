// When this browser sends its sound twice, and what it is told for that.
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakePeerConnection} from '../fakes.js';

const {Copies, inOrder} = await import('../static/js/copies.js');

const lines = (...list) => list.map(line => line + '\r\n').join('');

/** A description as our desktop app gives it. */
const theirs = lines('v=0', 'a=group:BUNDLE 0 1', 'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 0', 'a=setup:active', 'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1', 'a=rtpmap:63 red/48000/2', 'a=fmtp:63 111/111', 'm=video 9 UDP/TLS/RTP/SAVPF 98 111',
    'a=setup:active', 'a=rtpmap:98 VP9/90000');
const twice = theirs.replace('111 63 0', '63 111 0').replace(';usedtx=1', '');
const ours = theirs.replaceAll('active', 'actpass');

/** Reports once a second of so many packets each, with so many lost. */
function line(packets = 50) {
    const copies = new Copies();
    const stats = [{type: 'outbound-rtp', kind: 'audio', packetsSent: 0}, {type: 'remote-inbound-rtp', kind: 'audio', timestamp: 1, packetsLost: 0}];
    let now = 0;
    return {copies, run(seconds, lost, room) {
        for (let i = 0; i < seconds; i++) {
            now += 1000;
            stats[0].packetsSent += packets;
            stats[1].packetsLost += typeof lost === 'function' ? lost(i) : lost;
            stats[1].timestamp = now;
            copies.on = copies.look(stats, room, now);
        }
        return copies.on;
    }};
}

test('sound is sent twice within two reports of a lossy line, and not on a good one', () => {
    assert.equal(line().run(60, 0), false);
    assert.equal(line().run(60, i => i % 10 === 0 ? 1 : 0), false, 'one in 500 is repaired by Opus');
    assert.equal(line().run(3, 5), true);
    assert.equal(line().run(15, 1), true, 'one in 50');
});

test('a report counts by the packets that it is about', () => {
    const pause = line(3); // hardly anything is sent
    pause.run(10, 0);
    assert.equal(pause.run(1, 1), false, 'one packet of a pause is no lossy line');
    assert.equal(pause.run(20, 1), true, 'but one of three again and again is');
    const rare = line(250); // as between browsers, every five seconds
    assert.equal(rare.run(1, 0), false);
    assert.equal(rare.run(1, 25), true);
    rare.run(3, 0);
    assert.equal(rare.run(10, 0), false);
});

test('it ends ten seconds after the last losses, and no sooner', () => {
    const l = line();
    l.run(10, 5);
    assert.equal(l.run(12, 0), true);
    assert.equal(l.run(20, 0), false);
    assert.equal(l.run(3, 5), true, 'and begins again');
});

test('a narrow line has no room for it', () => {
    const l = line();
    assert.equal(l.run(10, 5, 150_000), false);
    assert.equal(l.run(3, 5, 250_000), true);
    assert.equal(l.run(5, 5, 150_000), true, 'it goes on while it fits at all');
    assert.equal(l.run(5, 5, 100_000), false);
});

test('losses that the other side takes back count as none, and without reports nothing is known', () => {
    const l = line();
    l.run(1, 3);
    assert.equal(l.run(30, i => i % 2 ? 3 : -3), false, 'late ones');
    const copies = new Copies();
    assert.equal(copies.look([], 1e6, 1000), false);
    assert.equal(copies.look([{type: 'outbound-rtp', kind: 'audio', packetsSent: 9}], 1e6, 1000), false);
});

/** A connection that stands, and what it is told from now on. */
function connected() {
    const pc = new FakePeerConnection({});
    Object.assign(pc, {connectionState: 'connected', localDescription: {type: 'offer', sdp: ours}});
    return {pc, given: record(pc)};
}

function record(pc) {
    const given = [];
    for (const which of ['setRemoteDescription', 'setLocalDescription']) {
        const set = pc[which].bind(pc);
        pc[which] = async d => {
            given.push([which, d?.type ?? 'answer', d?.sdp]);
            await set(d);
            if (which === 'setLocalDescription')
                pc.localDescription.sdp = ours;
        };
    }
    return given;
}

test('the browser is told what the other side said once more, copies first, and then as it was', async () => {
    const {pc, given} = connected();
    const copies = new Copies();
    await copies.turn(pc, theirs, true, 1000);
    assert.deepEqual(given, [
        ['setRemoteDescription', 'offer', twice.replaceAll('active', 'actpass')], ['setLocalDescription', 'answer', undefined],
    ]);
    assert.ok(copies.on);
    assert.equal(copies.read(theirs, pc), twice, 'a path that is sought meanwhile keeps them');
    given.length = 0;
    await copies.turn(pc, theirs, true, 8000);
    assert.deepEqual(given, [], 'it was done meanwhile');
    await copies.turn(pc, theirs, false, 9000);
    assert.equal(given[0][2], theirs.replaceAll('active', 'actpass'));
    assert.ok(!copies.on);
    assert.equal(copies.read(theirs, pc), theirs);
});

test('nothing is done in the middle of a negotiation, without a path, or where one side knows no copies', async () => {
    const {pc, given} = connected();
    const plain = theirs.replace('red/48000/2', 'CN/8000');
    const copies = new Copies();
    for (const [change, said] of [[{signalingState: 'have-local-offer'}, theirs], [{connectionState: 'disconnected'}, theirs], [{}, plain],
        [{localDescription: {type: 'offer', sdp: plain}}, theirs], [{localDescription: null}, theirs]]) {
        const before = {signalingState: pc.signalingState, connectionState: pc.connectionState, localDescription: pc.localDescription};
        Object.assign(pc, change);
        await copies.turn(pc, said, true, 1000);
        Object.assign(pc, before);
    }
    assert.deepEqual([given, copies.on], [[], false]);
});

test('a browser that refuses is left as it was, and not asked again', async () => {
    const {pc, given} = connected();
    const copies = new Copies();
    pc.setLocalDescription = async () => {
        throw new Error('refused');
    };
    await assert.rejects(copies.turn(pc, theirs, true, 1000));
    assert.deepEqual(given.at(-1).slice(0, 2), ['setRemoteDescription', 'rollback']);
    const stats = lost => [{type: 'outbound-rtp', kind: 'audio', packetsSent: 10 * lost}, {type: 'remote-inbound-rtp', kind: 'audio', timestamp: 100 * lost, packetsLost: lost}];
    for (let i = 1; i < 50; i++)
        assert.equal(copies.look(stats(i), 1e6, 1000 * i), false);
});

test('what is said to the other side names Opus before its copies, whatever the browser was told', () => {
    assert.equal(inOrder(theirs), theirs);
    assert.equal(inOrder(theirs.replace('111 63 0', '63 111 0')), theirs);
    assert.equal(inOrder(theirs.replace('111 63 0', '63 0 111')), theirs.replace('111 63 0', '0 111 63'));
    const plain = theirs.replace('red/48000/2', 'CN/8000');
    assert.equal(inOrder(plain), plain);
});
