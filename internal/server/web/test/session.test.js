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
Object.assign(globalThis, {
    matchMedia: () => ({matches: true, addEventListener() {}}),
    location: {hash: '', protocol: 'https:', host: 'example.org'},
    addEventListener() {},
    WebSocket: FakeSocket,
    AudioContext: class {},
    fetch: async path => new Response(JSON.stringify(path.endsWith('/me') ? {user: ann} : {calls: []}), {headers: {'Content-Type': 'application/json'}}),
});
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
