// Chats against a made-up link: what is unread, what is on its way, what failed, and history that overlaps.
import '../oldnode.js';
import assert from 'node:assert/strict';
import test from 'node:test';
import {Chats} from '../static/js/chats.js';

const ann = {id: 'ann', name: 'Ann', kind: 'person', online: true};
const line = (id, fromId, text, toId) => ({id, fromId, fromName: fromId, toId, text, sent: `2026-03-04T05:06:0${id}Z`});

function make({seen = () => false, answer}) {
    const asked = [];
    const link = {
        online: true,
        request: async (method, body) => {
            asked.push([method, body]);
            return {data: await answer(method, body)};
        },
    };
    let changes = 0;
    const chats = new Chats({link, self: () => ann, changed: () => changes++, seen});
    return {chats, asked, link, changes: () => changes};
}

const texts = chat => chat.lines.map(l => `${l.text}/${l.fate}`);

test('a line goes to the chat of the other person', () => {
    const {chats} = make({});
    chats.got(line(1, 'bob', 'to me', 'ann'));
    chats.got(line(2, 'ann', 'from my other device', 'bob'));
    chats.got(line(3, 'bob', 'to all'));
    assert.deepEqual(texts(chats.chat('bob')), ['to me/sent', 'from my other device/sent']);
    assert.deepEqual(texts(chats.chat('')), ['to all/sent']);
    assert.equal(chats.chat('bob').unread, 1, 'my own line is no news');
    assert.equal(chats.chat('').unread, 1);
});

test('the same line twice is one line', () => {
    const {chats} = make({});
    chats.got(line(1, 'bob', 'hi', 'ann'));
    chats.got(line(1, 'bob', 'hi', 'ann'));
    assert.equal(chats.chat('bob').lines.length, 1);
    assert.equal(chats.chat('bob').unread, 1);
});

test('what is before the eyes is not unread', () => {
    const {chats, asked} = make({seen: id => id === 'bob', answer: () => ({})});
    chats.got(line(1, 'bob', 'hi', 'ann'));
    chats.got(line(2, 'ann', 'hi yourself', 'bob'));
    assert.equal(chats.chat('bob').unread, 0);
    assert.deepEqual(asked, [['Message/Read', {data: {with: 'bob', id: 1}}]]);
});

test('what is read is said once', async () => {
    const {chats, asked} = make({answer: () => {
        throw new Error('The server cannot be reached.');
    }});
    chats.got(line(1, 'bob', 'to all'));
    chats.got(line(2, 'bob', 'to all'));
    chats.read('');
    chats.read('');
    await new Promise(setImmediate);
    assert.deepEqual(asked, [['Message/Read', {data: {with: undefined, id: 2}}]]);
});

test('what came while nobody was signed in here is counted by the server', async () => {
    let answer;
    const {chats, asked} = make({answer: () => new Promise((resolve, reject) => {
        answer = {resolve, reject};
    })});
    chats.got(line(3, 'bob', 'before the cut', 'ann'));
    chats.online();
    assert.deepEqual(asked, [['Message/Unread', undefined]]);
    chats.got(line(4, 'bob', 'counted', 'ann'));
    chats.got(line(5, 'bob', 'too late to be counted', 'ann'));
    answer.resolve({newest: 4, chats: [{with: 'bob', count: 3, last: 4}, {with: null, count: 7, last: 2}]});
    await new Promise(setImmediate);
    assert.deepEqual([chats.chat('bob').unread, chats.chat('').unread], [4, 7]);
    chats.read('bob');
    assert.deepEqual(asked.at(-1), ['Message/Read', {data: {with: 'bob', id: 5}}]);

    chats.got(line(6, 'bob', 'news', 'ann'));
    chats.online();
    answer.reject(new Error('unknown_method'));
    await new Promise(setImmediate);
    assert.deepEqual([chats.chat('bob').unread, chats.chat('').unread], [1, 7]);
});

test('what another device has shown is read here too', () => {
    const {chats} = make({});
    for (const id of [1, 2, 3])
        chats.got(line(id, 'bob', 'hi', 'ann'));
    chats.got(line(4, 'ann', 'from that device', 'bob'));
    chats.gotRead({with: 'bob', id: 2});
    assert.equal(chats.chat('bob').unread, 1);
    chats.gotRead({with: 'bob', id: 4});
    assert.equal(chats.chat('bob').unread, 0);
    chats.got(line(5, 'bob', 'to all'));
    chats.gotRead({id: 5});
    assert.equal(chats.chat('').unread, 0);
});

test('a line is shown at once and acknowledged later', async () => {
    let acknowledge;
    const {chats, asked} = make({answer: () => new Promise(resolve => {
        acknowledge = resolve;
    })});
    chats.send('bob', 'hello');
    assert.deepEqual(texts(chats.chat('bob')), ['hello/pending']);
    assert.deepEqual(asked, [['Message/SendTo', {toId: 'bob', type: 1, data: {text: 'hello'}}]]);
    chats.got(line(4, 'bob', 'meanwhile', 'ann'));
    acknowledge(line(5, 'ann', 'hello', 'bob'));
    await new Promise(setImmediate);
    assert.deepEqual(texts(chats.chat('bob')), ['meanwhile/sent', 'hello/sent']);
});

test('the push of an own line that comes before its reply does not double it', async () => {
    const {chats} = make({answer: async () => {
        chats.got(line(5, 'ann', 'hello'));
        return line(5, 'ann', 'hello');
    }});
    chats.send('', 'hello');
    await new Promise(setImmediate);
    assert.equal(chats.chat('').lines.length, 1);
});

test('a line that fails keeps its text and can be sent again', async () => {
    let broken = true;
    const {chats} = make({answer: () => {
        if (broken)
            throw new Error('The server cannot be reached.');
        return line(1, 'ann', 'precious');
    }});
    chats.send('', 'precious');
    await new Promise(setImmediate);
    const [failed] = chats.chat('').lines;
    assert.deepEqual([failed.fate, failed.text, failed.why], ['failed', 'precious', 'The server cannot be reached.']);
    broken = false;
    chats.again('', failed);
    await new Promise(setImmediate);
    assert.deepEqual(texts(chats.chat('')), ['precious/sent']);
});

test('older lines come in above, and a full page means that there may be more', async () => {
    const page = n => Array.from({length: 50}, (_, i) => ({...line(1, 'bob', `${n + i}`), id: n + i}));
    let before;
    const {chats} = make({answer: (_, {data}) => {
        before = data.before;
        return {messages: {undefined: page(21), 21: page(1).slice(0, 20)}[before] ?? []};
    }});
    await chats.load('', false);
    assert.deepEqual([chats.chat('').lines.length, chats.chat('').more, before], [50, true, undefined]);
    await chats.load('', true);
    assert.deepEqual([chats.chat('').lines.length, chats.chat('').more, before], [70, false, 1]);
    assert.deepEqual(chats.chat('').lines.map(l => l.id), Array.from({length: 70}, (_, i) => i + 1));
});

test('a page that does not fit into one message comes in several', async () => {
    const {chats} = make({answer: (_, {data: {before = 101, limit}}) => {
        const from = Math.max(before - Math.min(limit, 20), 1);
        return {messages: Array.from({length: before - from}, (_, i) => ({...line(1, 'bob', 'long'), id: from + i}))};
    }});
    await chats.load('', false);
    assert.deepEqual([chats.chat('').lines.length, chats.chat('').lines[0].id, chats.chat('').more], [50, 51, true]);
    await chats.load('', true);
    assert.deepEqual([chats.chat('').lines.length, chats.chat('').lines[0].id], [100, 1]);
});

test('a history that cannot be read is wanted again', async () => {
    const {chats} = make({answer: () => {
        throw new Error('no');
    }});
    await chats.load('bob', false);
    assert.deepEqual([chats.chat('bob').loaded, chats.chat('bob').loading], [false, false]);
});
