// Words and addresses: every end reason of the protocol has words for both sides, and every route survives the address bar.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {hashOf, inviteIn, parseRoute} from '../static/js/route.js';
import {clock, day, duration, endWords, initials, lastUsed, moment, phaseWords, recordWords, tint} from '../static/js/words.js';

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
    assert.equal(recordWords(r), 'Going on now');
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

test('times to come and times of devices', () => {
    const now = new Date(2026, 2, 4, 22, 5);
    assert.match(moment(new Date(2026, 2, 4, 23, 5), now), /^11:05|^23:05/);
    assert.match(moment(new Date(2026, 2, 5, 8, 0), now), /^tomorrow at /);
    assert.match(moment(new Date(2026, 2, 9, 8, 0), now), /March 9|9 March/);
    assert.equal(lastUsed(new Date(2026, 2, 4, 21, 0), now), 'Active lately');
    assert.equal(lastUsed(new Date(2026, 2, 4, 9, 0), now), 'Last active today');
    assert.equal(lastUsed(new Date(2026, 2, 3, 9, 0), now), 'Last active yesterday');
});

test('initials', () => {
    assert.deepEqual(['bob', 'Maria Keller', 'anna-lena.m', 'ünal', '👋x', ''].map(initials), ['B', 'MK', 'AM', 'Ü', '👋', '']);
});

test('routes', () => {
    for (const route of [{page: 'people'}, {page: 'lobby'}, {page: 'chat', id: 'a/b %#ü'}, {page: 'calls'}, {page: 'call', id: 'x-1'}, {page: 'account'}])
        assert.deepEqual(parseRoute(hashOf(route)), route);
    for (const hash of ['', '#', '#/', '#/nowhere', '#/with', '#/with/', '#/with/%zz'])
        assert.deepEqual(parseRoute(hash), {page: 'people'}, hash);
});

test('invitations are found in links', () => {
    for (const [text, secret] of [
        ['https://call.example.org/#invite=AbC-_9', 'AbC-_9'], [' https://call.example.org:8443/#fp=12ab&invite=AbC \n', 'AbC'], ['#invite=AbC', 'AbC'], ['AbC-_9', 'AbC-_9'],
        ['#/people', ''], ['', ''], ['https://call.example.org/', ''], ['two words', ''], ['#invite=', ''], ['#/with/invite=x', ''],
    ])
        assert.equal(inviteIn(text), secret, text);
});

// theme_test.go has the same.
test('a name has its colour in both programs', () => {
    assert.deepEqual(['Anna', 'bob', 'Maria Keller', 'Ольга Петрова', ''].map(tint), [11, 8, 0, 6, 1]);
});
