// The page without its elements against a made-up socket: what comes over it reaches the part that it is for.
import {FakePeerConnection, settle} from '../fakes.js';
import assert from 'node:assert/strict';
import test from 'node:test';
import {code} from '../static/js/protocol.js';

class FakeSocket {
    static all = [];
    readyState = 1;
    sent = [];
    constructor() {
        FakeSocket.all.push(this);
    }
    send(text) {
        this.sent.push(JSON.parse(text));
    }
    close() {
        this.readyState = 3;
    }
    got(e) {
        this.onmessage({data: JSON.stringify({type: 0, code: 0, message: 'ok', ...e})});
    }
}

const ann = {id: 'ann', name: 'Ann', kind: 'person', online: true};
const bob = {id: 'bob', name: 'Bob', kind: 'person', online: true};
let recorded = [];
Object.assign(globalThis, {
    matchMedia: () => ({matches: true, addEventListener() {}}),
    location: {hash: '', protocol: 'https:', host: 'example.org'},
    addEventListener() {},
    WebSocket: FakeSocket,
    AudioContext: class {},
    fetch: async path => new Response(JSON.stringify(path.endsWith('/me') ? {user: ann} : {calls: recorded}), {headers: {'Content-Type': 'application/json'}}),
});
const stored = new Map();
Object.assign(globalThis, {localStorage: {getItem: key => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value)}});
navigator.userAgent = 'Firefox on Linux';
const {Session} = await import('../static/js/session.js');

async function signedIn() {
    const session = new Session();
    await session.start();
    const socket = FakeSocket.all.at(-1);
    socket.onopen();
    const {method, requestId} = socket.sent[0];
    socket.got({method, requestId, data: {self: ann, users: [bob], server: 'visavis-server/1'}});
    assert.ok(session.online);
    return {session, socket};
}

test('every push of a call reaches the calls', async () => {
    const {session, socket} = await signedIn();
    const ofCalls = Object.values(code).filter(c => c >= code.invite && c < code.ack);
    const came = [];
    session.calling.push = e => came.push(e.code);
    for (const c of [code.candidate, code.offer, code.answer, ...ofCalls])
        socket.got({method: 'x', code: c, callId: 'c', data: {}});
    assert.deepEqual(came, [code.candidate, code.offer, code.answer, ...ofCalls]);
    await session.signOut();
});

test('newer servers for the relay reach the connection of a call', async () => {
    const {session, socket} = await signedIn();
    session.calling.dial('bob', false);
    await settle();
    const {callId, method, requestId} = socket.sent.find(e => e.method === 'Call/Invite');
    socket.got({method, requestId, callId});
    const servers = [{urls: ['stun:x']}];
    socket.got({method: 'Call/Accept', code: code.accepted, callId, data: {video: false, iceServers: servers}});
    await settle();
    const [pc] = FakePeerConnection.all;
    assert.deepEqual(pc.config.iceServers, servers);
    const anew = [{urls: ['turn:y'], username: 'new', credential: 'x'}];
    socket.got({method: 'Call/Servers', code: code.servers, callId, data: {iceServers: anew}});
    await settle();
    assert.deepEqual(pc.config.iceServers, anew);
    session.calling.hangup();
    await session.signOut();
});

const missedAt = second => ({
    id: `c${second}`, direction: 'incoming', peer: bob, video: false, started: new Date(Date.UTC(2026, 2, 4, 5, 6, second)).toISOString(),
    ended: new Date(Date.UTC(2026, 2, 4, 5, 7)).toISOString(), seconds: 0, reason: 'no_answer', missed: true,
});

test('calls that were missed before a browser knew the person are no news', async () => {
    stored.clear();
    recorded = [missedAt(1)];
    const {session} = await signedIn();
    await settle();
    assert.deepEqual([session.calls.list.length, session.missed()], [1, 0]);
    recorded = [missedAt(2), ...recorded];
    await session.loadCalls(false);
    assert.equal(session.missed(), 1, 'this one came since');
    await session.signOut();
    const again = await signedIn();
    await settle();
    assert.equal(again.session.missed(), 1, 'and nobody has looked');
    await again.session.signOut();
});

test('the first call that a new person misses is news', async () => {
    stored.clear();
    recorded = [];
    const {session} = await signedIn();
    await settle();
    await session.signOut();
    recorded = [missedAt(1)];
    const again = await signedIn();
    await settle();
    assert.equal(again.session.missed(), 1);
    await again.session.signOut();
});
