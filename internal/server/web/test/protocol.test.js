// Holds the browser's protocol to the golden messages that Go's package signal is held to.
import '../oldnode.js';
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import test from 'node:test';
import * as protocol from '../static/js/protocol.js';

const dir = new URL('../../../signal/testdata/', import.meta.url);
const goldens = readdirSync(dir).filter(name => name.endsWith('.json'));

/** What each kind of golden message must be, by the last word of its name. */
const reader = {
    request: protocol.requestData,
    reply: protocol.replyData,
    merged: protocol.replyData,
    push: protocol.pushData,
    beside: protocol.besideData,
};

test('there are goldens for every method', () => {
    const seen = new Set(goldens.map(name => JSON.parse(readFileSync(new URL(name, dir), 'utf8')).method));
    assert.deepEqual([...seen].sort(), Object.values(protocol.method).sort());
});

for (const name of goldens) {
    test(name, () => {
        const message = readFileSync(new URL(name, dir), 'utf8');
        const want = JSON.parse(message);
        const e = protocol.parse(message);
        assert.deepEqual(e, want);
        const kind = name.split('.').at(-2);
        assert.equal(protocol.isPush(e), kind === 'push');
        if (kind === 'error') {
            assert.equal(e.code, protocol.code.error);
            assert.equal(protocol.problem(e), want.data.error);
            return;
        }
        assert.deepEqual(reader[kind](e), want.data ?? {});
        spoil(e, reader[kind]);
    });
}

/** Every required field of data, removed or of another type, must be noticed. */
function spoil(e, read) {
    let noticed = 0;
    let spoilt = 0;
    for (const field of Object.keys(e.data ?? {})) {
        for (const wrong of [{}, [[]], Symbol.iterator].slice(field === 'resume' ? 1 : 0)) { // which may be empty
            spoilt++;
            try {
                read({...e, data: {...e.data, [field]: wrong}});
            } catch (err) {
                assert.ok(err instanceof protocol.Malformed);
                noticed++;
            }
        }
    }
    assert.equal(noticed, spoilt, 'wrong types that were noticed');
}

test('envelopes that are none', () => {
    const bad = ['', '[]', 'null', '1', '{', '{}', '{"method":""}', '{"method":1}', '{"method":"User/List","type":2}',
        '{"method":"User/List","code":"0"}', '{"method":"User/List","requestId":7}', `{"method":"${'x'.repeat(65)}"}`,
        `{"method":"User/List","toId":"${'ü'.repeat(33)}"}`, `{"method":"User/List","message":"${'x'.repeat(protocol.maxMessage)}"}`];
    for (const message of bad)
        assert.throws(() => protocol.parse(message), protocol.Malformed, message.slice(0, 60));
    assert.throws(() => protocol.parse(new ArrayBuffer(4)), protocol.Malformed);
});

test('fields left out are zero, unknown ones stay', () => {
    const e = protocol.parse('{"method":"User/List","later":true}');
    assert.deepEqual(e, {method: 'User/List', type: 0, code: 0, later: true});
});

test('lists that Go wrote as null', () => {
    const e = protocol.parse('{"method":"User/List","code":10000,"data":{"users":null}}');
    assert.deepEqual(protocol.pushData(e), {users: null});
});

test('a problem without a code is internal', () => {
    assert.equal(protocol.problem(protocol.parse('{"method":"User/List","code":1}')), 'internal');
    assert.equal(protocol.problem(protocol.parse('{"method":"User/List","code":1,"data":{"error":"too_many"}}')), 'too_many');
});

test('ids', () => {
    const ids = new Set(Array.from({length: 1000}, protocol.newID));
    assert.equal(ids.size, 1000);
    for (const id of ids)
        assert.match(id, /^[a-z2-7]{26}$/);
});
