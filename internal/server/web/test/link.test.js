// The link against a made-up socket and clock: what it says first, how it waits, comes back, notices a dead socket and gives up.
import '../oldnode.js';
import assert from 'node:assert/strict';
import test from 'node:test';
import {FakeClock, settle} from '../fakeclock.js';
import {Link} from '../static/js/link.js';

class FakeSocket {
    readyState = 0;
    sent = [];
    constructor(url, protocol) {
        Object.assign(this, {url, protocol});
    }
    send(text) {
        assert.equal(this.readyState, 1);
        this.sent.push(JSON.parse(text));
    }
    close(code = 1005) {
        this.shut(code);
    }
    opened() {
        this.readyState = 1;
        this.onopen();
    }
    shut(code) {
        if (this.readyState === 3)
            return;
        this.readyState = 3;
        this.onclose({code});
    }
    got(e) {
        this.onmessage({data: typeof e === 'string' ? e : JSON.stringify(e)});
    }
    reply(data, code = 0, message = 'ok') {
        const {method, requestId} = this.sent.at(-1);
        this.got({method, type: 0, code, message, requestId, data});
    }
}

class FakeWorld extends FakeClock {
    sockets = [];
    dice = 1;
    open = (url, protocol) => {
        this.sockets.push(new FakeSocket(url, protocol));
        return this.sockets.at(-1);
    };
    random = () => this.dice;
    get socket() {
        return this.sockets.at(-1);
    }
}

const self = {id: 'ann23456789abcdefghijklmno', name: 'Ann', kind: 'person', online: true};
const connected = {self, users: [], server: 'visavis-server/0'};

function start() {
    const world = new FakeWorld();
    const heard = [];
    const owner = {
        signedIn: true,
        onOnline: c => heard.push(['online', c.self.name]),
        onOffline: note => heard.push(['offline', note]),
        onRefused: note => heard.push(['refused', note]),
        onPush: e => heard.push(['push', e.code]),
        stillSignedIn: async () => owner.signedIn,
    };
    const link = new Link({url: 'wss://x.example/ws', device: 'Test', client: 'test/0'}, owner, world);
    link.start();
    return {world, heard, link, owner};
}

async function online() {
    const all = start();
    all.world.socket.opened();
    all.world.socket.reply(connected);
    await settle();
    all.heard.length = 0;
    return all;
}

test('says who it is first', async () => {
    const {world, heard, link} = start();
    assert.equal(world.socket.url, 'wss://x.example/ws');
    assert.equal(world.socket.protocol, 'visavis.1');
    await assert.rejects(link.request('User/List'), {code: 'offline'});
    world.socket.opened();
    const [hello] = world.socket.sent;
    assert.equal(hello.method, 'User/Connect');
    assert.match(hello.data.deviceId, /^[a-z2-7]{26}$/);
    assert.equal(hello.data.device, 'Test');
    assert.equal(link.online, false);
    world.socket.reply(connected);
    await settle();
    assert.equal(link.online, true);
    assert.deepEqual(heard, [['online', 'Ann']]);
    link.stop();
    assert.equal(world.socket.readyState, 3);
    assert.equal(world.timers.length, 0);
});

test('replies find their requests in any order', async () => {
    const {world, link} = await online();
    const first = link.request('User/List');
    const second = link.request('Message/SendTo', {toId: 'b', type: 1, data: {text: 'hi'}});
    const [a, b] = world.socket.sent.slice(-2);
    assert.notEqual(a.requestId, b.requestId);
    assert.deepEqual([b.type, b.toId, b.data], [1, 'b', {text: 'hi'}]);
    world.socket.got({method: b.method, code: 1, message: 'Slow down.', requestId: b.requestId, data: {error: 'too_many'}});
    world.socket.got({method: a.method, code: 0, requestId: a.requestId, data: {users: [self]}});
    await assert.rejects(second, {code: 'too_many', message: 'Slow down.'});
    assert.deepEqual((await first).data, {users: [self]});
    link.stop();
});

test('a request without an answer', async () => {
    const {world, link} = await online();
    const asked = link.request('User/List');
    const failed = assert.rejects(asked, {code: 'timeout'});
    await world.pass(10_000);
    await failed;
    link.stop();
});

test('pushes arrive, nonsense does not', async t => {
    t.mock.method(console, 'warn', () => {});
    const {world, heard, link} = await online();
    world.socket.got({method: 'User/Online', code: 10006, fromId: self.id, data: {user: self}});
    world.socket.got('nonsense');
    world.socket.got({method: 'User/List', code: 0, requestId: '999', data: {users: []}});
    assert.deepEqual(heard, [['push', 10006]]);
    assert.equal(console.warn.mock.callCount(), 1);
    assert.equal(link.online, true);
    link.stop();
});

test('comes back as the same device, waiting longer each time', async () => {
    const {world, heard, link} = await online();
    const device = world.socket.sent[0].data.deviceId;
    const cut = assert.rejects(link.request('User/List'), {code: 'offline'});
    world.socket.shut(1006);
    await cut;
    assert.deepEqual(heard, [['offline', 'The server cannot be reached.']]);
    const waits = [];
    for (let i = 0; i < 8; i++) {
        const [retry] = world.timers;
        waits.push(retry.at - world.now);
        await world.pass(waits.at(-1));
        assert.equal(world.sockets.length, i + 2);
        world.socket.shut(1006);
        await settle();
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    world.dice = 0.3;
    await world.pass(10_000);
    world.socket.opened();
    assert.equal(world.socket.sent[0].data.deviceId, device);
    world.socket.reply(connected);
    await settle();
    world.socket.shut(1012);
    assert.equal(world.timers[0].at - world.now, 75, 'from the beginning, with jitter');
    assert.deepEqual(heard.at(-1), ['offline', 'The server restarts.']);
    link.stop();
});

test('hurries when the network is back', async () => {
    const {world, link} = await online();
    for (let i = 0; i < 6; i++) {
        world.socket.shut(1006);
        await world.pass(i < 5 ? 10_000 : 0);
    }
    const before = world.sockets.length;
    link.hurry();
    link.hurry();
    assert.equal(world.sockets.length, before + 1);
    assert.equal(world.timers.length, 1, 'only the time to open');
    link.stop();
});

test('notices a socket that has died without a word', async () => {
    const {world, heard, link} = await online();
    await world.pass(9000);
    world.socket.got({method: 'User/Online', code: 10006, data: {user: self}});
    await world.pass(9000);
    assert.equal(world.socket.sent.length, 1, 'it hears something, so it asks nothing');
    await world.pass(1000);
    assert.equal(world.socket.sent.at(-1).method, 'Message/History');
    world.socket.reply({messages: []});
    await world.pass(10_000);
    assert.equal(world.socket.sent.length, 3);
    const dead = world.socket;
    await world.pass(10_000);
    assert.equal(dead.readyState, 3);
    assert.equal(heard.at(-1)[0], 'offline');
    link.stop();
});

test('gives up when the session is over', async () => {
    const {world, heard, link, owner} = await online();
    owner.signedIn = false;
    world.socket.shut(4401);
    await world.pass(250);
    world.socket.shut(1006);
    await settle();
    assert.equal(heard.at(-1)[0], 'refused');
    await world.pass(60_000);
    assert.equal(world.sockets.length, 2);
    link.hurry();
    assert.equal(world.sockets.length, 2);
});

test('a session that was ended elsewhere is not called a server that cannot be reached', async () => {
    const {world, heard, owner} = await online();
    owner.signedIn = false;
    world.socket.shut(1008);
    await settle();
    assert.deepEqual(heard, [['refused', 'Your session has ended. Please sign in again.']]);
    await world.pass(60_000);
    assert.equal(world.sockets.length, 1);
    assert.equal(world.timers.length, 0);
});

test('a socket that the server closes for another reason comes back', async () => {
    const {world, heard, link} = await online();
    world.socket.shut(1008);
    await settle();
    assert.deepEqual(heard, [['offline', 'The server cannot be reached.']]);
    await world.pass(250);
    world.socket.opened();
    world.socket.reply(connected);
    await settle();
    assert.deepEqual(heard.at(-1), ['online', 'Ann']);
    link.stop();
});

test('who hurries while it is asked does not come back twice', async () => {
    const {world, link} = await online();
    world.socket.shut(1008);
    link.hurry();
    await settle();
    assert.equal(world.sockets.length, 2);
    assert.equal(world.timers.length, 1); // the time to open
    link.stop();
});

test('gives up when the first message is refused', async () => {
    const {world, heard} = start();
    world.socket.opened();
    world.socket.reply({error: 'unauthorized'}, 1, 'Your session has ended.');
    await settle();
    assert.deepEqual(heard, [['refused', 'Your session has ended.']]);
    assert.equal(world.timers.length, 0);
});

test('a socket that never opens is given up', async () => {
    const {world, heard, link} = start();
    await world.pass(10_000);
    assert.equal(world.sockets[0].readyState, 3);
    assert.equal(heard[0][0], 'offline');
    link.stop();
});
