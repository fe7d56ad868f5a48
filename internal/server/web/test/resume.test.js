// The link over a line that breaks: numbers, what is said again, what is not, and when a session is over. The other end is a
// small server of its own that follows docs/protocol.md.
import '../oldnode.js';
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeClock, settle} from '../fakeclock.js';
import {Link} from '../static/js/link.js';
import {Numbers} from '../static/js/numbers.js';

const self = {id: 'ann23456789abcdefghijklmno', name: 'Ann', kind: 'person', online: true};

/** A dice that falls the same way each time (mulberry32). */
function dice(seed) {
    return () => {
        seed = seed + 0x6d2b79f5 | 0;
        let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
        t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
        return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
    };
}

/** What a server keeps of one session. */
class ServerSession {
    got = 0;
    sent = 0;
    kept = [];
    constructor(id) {
        this.id = id;
    }
}

/** Server, line and clock: messages wait in both directions until they are carried, and a cut loses them. */
class World extends FakeClock {
    up = [];
    down = [];
    socket = null;
    at = null;
    session = null;
    sessions = 0;
    resumed = 0;
    /** What the requests asked for, once each. */
    done = [];
    random = () => 0;
    open = () => {
        const socket = {
            readyState: 0,
            send: text => {
                assert.equal(socket.readyState, 1);
                this.up.push(text);
            },
            close: code => this.cut(code),
        };
        this.socket = socket;
        queueMicrotask(() => {
            if (socket === this.socket) {
                socket.readyState = 1;
                socket.onopen();
            }
        });
        return socket;
    };

    /** Breaks the line with all that is on it. */
    cut(code = 1006) {
        const {socket} = this;
        this.socket = this.at = null;
        this.up = [];
        this.down = [];
        if (socket && socket.readyState !== 3) {
            socket.readyState = 3;
            socket.onclose({code});
        }
    }

    /** Carries one message up, if there is one. */
    carryUp() {
        if (this.socket?.readyState === 1 && this.up.length)
            this.take(JSON.parse(this.up.shift()));
    }

    carryDown() {
        if (this.socket?.readyState === 1 && this.down.length)
            this.socket.onmessage({data: this.down.shift()});
    }

    carryAll() {
        while (this.socket?.readyState === 1 && (this.up.length || this.down.length)) {
            this.carryUp();
            this.carryDown();
        }
    }

    take(e) {
        if (e.method === 'User/Connect')
            return this.greet(e);
        const s = this.at;
        if (e.ack)
            s.kept = s.kept.filter(m => m.seq > e.ack);
        if (!e.seq) {
            assert.equal(e.method, 'Session/Ack');
            return;
        }
        assert.ok(e.seq <= s.got + 1, `request ${e.seq} follows ${s.got}`);
        if (e.seq <= s.got)
            return;
        s.got = e.seq;
        this.done.push(e.data?.candidate ?? e.data?.text);
        if (e.requestId)
            this.say({method: e.method, code: 0, requestId: e.requestId, data: {id: 1, fromId: self.id, fromName: 'Ann', text: e.data.text, sent: '2026-01-01T00:00:00Z'}});
    }

    greet(e) {
        const {resume} = e.data;
        const s = this.session;
        const goesOn = s && resume.session === s.id && resume.got >= s.sent - s.kept.length;
        this.at = this.session = goesOn ? s : new ServerSession(`session-${++this.sessions}-0123456789`);
        const data = {self, users: [], server: 'test', session: this.at.id};
        if (goesOn) {
            this.resumed++;
            Object.assign(data, {resumed: true, got: s.got});
        }
        this.down.push(JSON.stringify({method: e.method, code: 0, requestId: e.requestId, data}));
        if (goesOn)
            this.down.push(...s.kept.filter(m => m.seq > resume.got).map(m => JSON.stringify(m)));
    }

    /** The server says something. */
    say(e) {
        const s = this.session;
        const m = {seq: ++s.sent, ack: s.got, ...e};
        s.kept.push(m);
        if (this.at)
            this.down.push(JSON.stringify(m));
    }
}

async function online() {
    const world = new World();
    const heard = [];
    const link = new Link({url: 'wss://x.example/ws', device: 'Test', client: 'test/0'}, {
        onOnline: c => heard.push(['online', Boolean(c.resumed)]),
        onOffline: note => heard.push(['offline', note]),
        onRefused: note => heard.push(['refused', note]),
        onPush: e => heard.push(['push', e.data?.candidate ?? e.code]),
        stillSignedIn: async () => true,
    }, world);
    link.start();
    await settle();
    world.carryAll();
    assert.deepEqual(heard.splice(0), [['online', false]]);
    return {world, heard, link};
}

const sayTo = (link, text) => link.request('Message/SendTo', {toId: 'b', type: 1, data: {text}});

test('a thousand cuts while ten thousand messages go both ways', async () => {
    const {world, heard, link} = await online();
    const each = 5000;
    const random = dice(7);
    const replies = [];
    let said = 0;
    let pushed = 0;
    let cuts = 0;
    while (replies.length < each || pushed < each || heard.filter(([what]) => what === 'push').length < each) {
        if (link.online && said < each && said - replies.length < 40) {
            const n = String(said++);
            sayTo(link, n).then(e => replies.push(e.data.text), err => assert.fail(`${n}: ${err.code}`));
        }
        if (pushed < each && world.session.kept.length < 100)
            world.say({method: 'Message/Candidate', code: 10009, data: {candidate: String(pushed++)}});
        for (let i = Math.floor(random() * 4); i > 0; i--)
            random() < 0.5 ? world.carryUp() : world.carryDown();
        if (random() < 0.08) {
            cuts++;
            world.cut();
            await world.pass(1);
        }
        await settle();
    }
    const all = Array.from({length: each}, (_, n) => String(n));
    assert.deepEqual(world.done, all, 'what the server did');
    assert.deepEqual(replies, all, 'what was answered');
    assert.deepEqual(heard.filter(([what]) => what === 'push').map(([, n]) => n), all, 'what was pushed');
    assert.ok(cuts >= 1000 && world.resumed >= 900, `${cuts} cuts, ${world.resumed} times resumed`);
    assert.equal(world.sessions, 1);
    link.stop();
    assert.equal(world.timers.length, 0);
});

test('a request over a cut is answered once, however long its reply takes', async () => {
    const {world, heard, link} = await online();
    const asked = sayTo(link, 'hello');
    world.carryUp();
    world.cut(); // with the reply
    assert.deepEqual(heard.splice(0), [['offline', 'The server cannot be reached.']]);
    world.socket = null;
    await world.pass(25_000); // more than a request's time; every try fails
    world.cut();
    await world.pass(10_000);
    world.carryAll();
    assert.equal((await asked).data.text, 'hello');
    assert.deepEqual(world.done, ['hello']);
    assert.deepEqual(heard.at(-1), ['online', true]);
    link.stop();
});

test('after a minute it begins anew, and who waits hears so', async () => {
    const {world, heard, link} = await online();
    const lost = assert.rejects(sayTo(link, 'hello'), {code: 'offline'});
    world.cut();
    const {open} = world;
    world.random = () => 1;
    world.open = () => {
        const socket = open();
        queueMicrotask(() => world.cut());
        return socket;
    };
    await world.pass(61_000);
    await lost;
    world.open = open;
    await world.pass(10_100);
    world.carryAll();
    assert.equal(world.sessions, 2);
    assert.deepEqual(heard.at(-1), ['online', false]);
    link.stop();
});

test('a server that has forgotten the session', async () => {
    const {world, heard, link} = await online();
    const lost = assert.rejects(sayTo(link, 'hello'), {code: 'offline'});
    world.session = null;
    world.cut(1012);
    await world.pass(1);
    world.carryAll();
    await lost;
    assert.deepEqual(heard.splice(0), [['offline', 'The server restarts.'], ['online', false]]);
    const again = sayTo(link, 'again');
    world.carryAll();
    await again;
    assert.deepEqual(world.done, ['again']);
    link.stop();
});

test('comes back when a server that stops has said', async () => {
    const {world, heard, link} = await online();
    world.say({method: 'Server/Stopping', code: 10201, data: {afterMs: 3141}});
    world.carryAll();
    assert.equal(link.online, true);
    const asked = sayTo(link, 'still here?');
    world.carryAll();
    await asked;
    world.cut(1012);
    assert.deepEqual(heard, [['offline', 'The server restarts.']]);
    await world.pass(3140);
    assert.equal(world.socket, null);
    await world.pass(1);
    assert.ok(world.socket);
    link.stop();
});

test('a gap in the numbers ends the session', async t => {
    t.mock.method(console, 'warn', () => {});
    const {world, heard, link} = await online();
    world.session.sent++;
    world.say({method: 'User/List', code: 10000, data: {users: []}});
    world.carryAll();
    assert.deepEqual(heard.splice(0), [['offline', 'The server cannot be reached.']]);
    await world.pass(1);
    world.carryAll();
    assert.deepEqual(heard, [['online', false]]);
    link.stop();
});

test('acknowledges when it only listens', async () => {
    const {world, link} = await online();
    const say = () => {
        world.say({method: 'User/List', code: 10000, data: {users: []}});
        world.carryDown();
    };
    for (let i = 0; i < 31; i++)
        say();
    assert.equal(world.up.length, 0);
    say();
    assert.deepEqual(JSON.parse(world.up.pop()), {method: 'Session/Ack', type: 0, code: 0, ack: 32});
    say();
    await world.pass(4999);
    assert.equal(world.up.length, 0);
    await world.pass(1);
    assert.equal(JSON.parse(world.up.pop()).ack, 33);
    link.stop();
});

test('numbers that cannot be', () => {
    const n = new Numbers();
    assert.deepEqual(n.resume(), {});
    assert.deepEqual(JSON.parse(n.written(n.add({method: 'a'}))), {method: 'a'}, 'without a session');
    assert.equal(n.arrived({seq: 9, ack: 9}), true);
    n.begin('s');
    const first = n.add({method: 'a'});
    n.add({method: 'b'});
    assert.deepEqual(JSON.parse(n.written(first)), {seq: 1, method: 'a', ack: 0});
    assert.throws(() => n.arrived({ack: 3}), RangeError);
    assert.throws(() => n.arrived({seq: 2}), RangeError);
    assert.equal(n.arrived({seq: 1, ack: 1}), true);
    assert.equal(n.arrived({seq: 1, ack: 0}), false);
    assert.deepEqual(n.since(1).map(m => m.seq), [2]);
    assert.throws(() => n.since(0), RangeError);
    assert.throws(() => n.since(3), RangeError);
    assert.deepEqual(n.resume(), {session: 's', got: 1});
    for (let i = 0; i < 255; i++)
        n.add({method: 'c'});
    assert.equal(n.full, true);
});
