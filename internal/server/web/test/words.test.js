// Words and addresses: every end reason of the protocol has words for both sides, and every route survives the address bar.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {hashOf, parseRoute} from '../static/js/route.js';
import {clock, day, duration, endWords, initials, phaseWords, recordWords} from '../static/js/words.js';

test('every end reason of package signal has words of its own', () => {
    const source = readFileSync(new URL('../../../signal/payload.go', import.meta.url), 'utf8');
    const reasons = [...source.matchAll(/EndReason = "(\w+)"/g)].map(m => m[1]);
    assert.equal(reasons.length, 13);
    const seen = new Set();
    for (const reason of reasons) {
        for (const outgoing of [true, false]) {
            const [title, why] = endWords({reason, outgoing, name: 'Bob', byMe: false, talked: false});
            assert.ok(title && why.endsWith('.'), reason);
            assert.ok(!/\w_\w/.test(title + why) && !why.includes('could not go on'), `${reason} is said as a code: ${why}`);
            seen.add(title + why);
        }
    }
    assert.ok(seen.size > reasons.length);
    assert.notDeepEqual(endWords({reason: 'hangup', outgoing: true, name: 'Bob', byMe: true, talked: true}),
        endWords({reason: 'hangup', outgoing: true, name: 'Bob', byMe: false, talked: true}));
    for (const outgoing of [true, false]) {
        const [, why] = endWords({reason: 'peer_gone', outgoing, name: 'Bob', byMe: true, talked: outgoing});
        assert.match(why, /^Your connection/, 'who was gone is not told that the other was');
    }
    assert.match(endWords({reason: 'of_a_later_server', outgoing: true, name: 'Bob', byMe: false, talked: false})[1], /of_a_later_server/);
});

test('phases', () => {
    const s = {phase: 'ringing_out', id: '1', peerId: '2', outgoing: true, video: true, reason: ''};
    assert.equal(phaseWords(s, 'Bob', 1), 'Ringing…');
    assert.equal(phaseWords(s, 'Bob', 3), 'Ringing on 3 devices…');
    assert.equal(phaseWords({...s, phase: 'idle'}, 'Bob', 0), '');
});

test('records', () => {
    const r = {id: '1', direction: 'outgoing', peer: {id: '2', name: 'Bob', kind: 'person', online: true}, video: true, started: '2026-03-04T05:06:07Z', seconds: 0, missed: false};
    assert.equal(recordWords(r), 'Running');
    assert.equal(recordWords({...r, ended: '2026-03-04T05:07:07Z', reason: 'no_answer'}), 'No answer');
    assert.equal(recordWords({...r, ended: '2026-03-04T05:07:07Z', accepted: '2026-03-04T05:06:17Z', seconds: 50.4, reason: 'hangup'}), '50 s');
    assert.equal(recordWords({...r, missed: true}), 'Missed');
});

test('times', () => {
    assert.deepEqual([0, 7_400, 764_000, 3_723_000].map(clock), ['0:00', '0:07', '12:44', '1:02:03']);
    assert.deepEqual([7_400, 60_000, 764_000, 3_723_000].map(duration), ['7 s', '1 min', '12 min 44 s', '1 h 2 min']);
    const now = new Date(2026, 2, 4, 0, 5);
    assert.equal(day(new Date(2026, 2, 4, 0, 1), now), 'Today');
    assert.equal(day(new Date(2026, 2, 3, 23, 59), now), 'Yesterday');
    assert.match(day(new Date(2025, 2, 3), now), /2025/);
});

test('initials', () => {
    assert.deepEqual(['bob', 'Maria Keller', 'anna-lena.m', 'ünal', '👋x', ''].map(initials), ['B', 'MK', 'AM', 'Ü', '👋', '']);
});

test('routes', () => {
    for (const route of [{page: 'people'}, {page: 'lobby'}, {page: 'chat', id: 'a/b %#ü'}, {page: 'calls'}, {page: 'call', id: 'x-1'}])
        assert.deepEqual(parseRoute(hashOf(route)), route);
    for (const hash of ['', '#', '#/', '#/nowhere', '#/with', '#/with/', '#/with/%zz'])
        assert.deepEqual(parseRoute(hash), {page: 'people'}, hash);
});
