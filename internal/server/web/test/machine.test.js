// Holds the browser's call machine to the table that Go's package call is held to.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {hasPeer, idle, isLive, next} from '../static/js/machine.js';

const table = JSON.parse(readFileSync(new URL('../../../call/testdata/transitions.json', import.meta.url), 'utf8'));
const phases = ['idle', 'dialing', 'ringing_out', 'incoming', 'accepting', 'connecting', 'active', 'reconnecting', 'ended'];

test('every transition of the table', () => {
    assert.ok(table.length > 100, 'the table is there');
    for (const {state, event, next: want, does} of table) {
        const before = structuredClone(state);
        const [got, effects] = next(state, event);
        const what = `${state.phase} + ${JSON.stringify(event)}`;
        assert.deepEqual(got, want, what);
        assert.deepEqual(effects, does, what);
        assert.deepEqual(state, before, `${what} changed its argument`);
    }
});

test('the table reaches every phase and event', () => {
    assert.deepEqual(new Set(table.map(r => r.state.phase)), new Set(phases));
    const events = ['Dial', 'Accept', 'Decline', 'Hangup', 'Dismiss', 'GotInvite', 'GotRinging', 'GotAccepted', 'AcceptOK', 'Merged',
        'Refused', 'GotEnded', 'PeerUp', 'PeerDown', 'PeerFailed', 'Timeout'];
    assert.deepEqual(new Set(table.map(r => r.event.type)), new Set(events));
});

test('predicates know every phase', () => {
    for (const phase of phases) {
        const s = /** @type {import('../static/js/machine.js').State} */ ({...idle, phase});
        assert.equal(typeof isLive(s), 'boolean', phase);
        assert.ok(!hasPeer(s) || isLive(s), phase);
    }
});
