// One's own account against a made-up API: one step at a time, outcomes that stay, and nothing of one person left for the next.
import '../oldnode.js';
import assert from 'node:assert/strict';
import test from 'node:test';
import {Account} from '../static/js/account.js';

const bob = {id: 'bob', name: 'Bob', kind: 'person', online: true};
const session = (id, current, used) => ({id, device: id, created: '2026-03-01T00:00:00Z', used, current});

/** An API that answers as told, and keeps what it was asked. */
function make(answers = {}) {
    const asked = [];
    const said = {
        me: {user: bob, dnd: {on: false}, mayInvite: true}, blocks: [], invites: [],
        sessions: [session('old', false, '2026-03-01T00:00:00Z'), session('here', true, '2026-03-02T00:00:00Z'), session('new', false, '2026-03-03T00:00:00Z')],
        makeInvite: {id: '1', invite: 'x', url: 'https://host/#invite=x', uses: 1}, ...answers,
    };
    const api = new Proxy({}, {get: (_, name) => async (...args) => {
        asked.push([name, ...args]);
        const answer = said[name];
        if (answer instanceof Error)
            throw answer;
        return typeof answer === 'function' ? answer() : answer ?? {};
    }});
    const gone = [];
    let changes = 0;
    const account = new Account({api, changed: () => changes++, gone: note => gone.push(note)});
    return {account, asked, said, gone, changes: () => changes};
}

const refusal = (code, message) => Object.assign(new Error(message), {code});

test('the page has everything, this browser first and then the last used', async () => {
    const {account} = make({me: {user: bob, dnd: {on: true, until: '2026-03-05T08:00:00Z'}, mayInvite: true}, blocks: [bob]});
    await account.load();
    assert.deepEqual(account.sessions.map(s => s.id), ['here', 'new', 'old']);
    assert.deepEqual(account.dnd, {on: true, until: new Date('2026-03-05T08:00:00Z')});
    assert.ok(account.blocks('bob') && !account.blocks('eve') && account.mayInvite);
});

test('a server without these questions leaves the page as it is', async () => {
    const err = refusal('not_found', 'There is no such page.');
    const {account, changes} = make({me: err, blocks: err, invites: err, sessions: err});
    await account.load();
    assert.equal(account.sessions, null);
    assert.equal(account.said.text, '');
    assert.equal(changes(), 0);
});

test('a new password, and a wrong old one', async () => {
    const {account, asked, said} = make({changePassword: refusal('wrong_password', 'The password is wrong.')});
    assert.equal(await account.changePassword('a', 'b'), false);
    assert.deepEqual(account.said, {step: 'password', text: 'The password is wrong.', failed: true});
    said.changePassword = {};
    assert.equal(await account.changePassword('a', 'b'), true);
    assert.match(account.said.text, /changed/);
    assert.deepEqual(asked.filter(([name]) => name === 'changePassword'), [['changePassword', 'a', 'b'], ['changePassword', 'a', 'b']]);
    assert.equal(account.busy, '');
});

test('one step at a time', async () => {
    let finish;
    const {account, asked} = make({setDND: () => new Promise(resolve => {
        finish = resolve;
    })});
    const first = account.setDND(true);
    assert.equal(account.busy, 'dnd');
    assert.equal(await account.block(bob), false);
    assert.equal(await account.setDND(false), false);
    finish({});
    assert.equal(await first, true);
    assert.deepEqual(asked, [['setDND', true, null]]);
    assert.deepEqual(account.dnd, {on: true, until: null});
});

test('blocking and letting through', async () => {
    const {account, said} = make();
    await account.block(bob);
    assert.ok(account.blocks('bob'));
    said.unblock = refusal('too_many', 'Please wait.');
    await account.unblock('bob');
    assert.ok(account.blocks('bob'), 'refused, but taken for done');
    assert.deepEqual(account.said, {step: 'block', text: 'Please wait.', failed: true});
    said.unblock = {};
    await account.unblock('bob');
    assert.ok(!account.blocks('bob'));
});

test('sessions that were ended go from the list', async () => {
    const {account, gone} = make();
    await account.load();
    await account.endSession('old');
    assert.deepEqual(account.sessions.map(s => s.id), ['here', 'new']);
    await account.endOthers();
    assert.deepEqual(account.sessions.map(s => s.id), ['here']);
    assert.deepEqual(gone, []);
    await account.signOutEverywhere();
    assert.equal(gone.length, 1);
});

test('an invitation is shown once', async () => {
    const {account, said} = make();
    said.invites = [{id: '1', created: '2026-03-01T00:00:00Z', usesLeft: 1}];
    await account.invite();
    await account.load();
    assert.equal(account.link, 'https://host/#invite=x');
    said.invites = [{id: '1', created: '2026-03-01T00:00:00Z', usesLeft: 0, usedBy: ['bob']}];
    await account.load();
    assert.equal(account.link, '', 'used, and still offered');
    said.invites = [{id: '1', created: '2026-03-01T00:00:00Z', usesLeft: 1}];
    await account.invite();
    await account.revoke('1');
    assert.equal(account.link, '');
});

test('deleting wants the right password', async () => {
    const {account, gone, said, asked} = make({deleteAccount: refusal('wrong_password', 'The password is wrong.')});
    assert.equal(await account.remove('no', true), false);
    assert.deepEqual(gone, []);
    said.deleteAccount = {};
    assert.equal(await account.remove('yes', false), true);
    assert.equal(gone.length, 1);
    assert.deepEqual(asked, [['deleteAccount', 'no', true], ['deleteAccount', 'yes', false]]);
});

test('who has left is told so, also when the socket was closed first', async () => {
    const {account, said, gone} = make();
    said.deleteAccount = () => {
        account.clear(); // as session.js does when the link is refused
        return {};
    };
    assert.equal(await account.remove('yes', false), true);
    assert.equal(gone.length, 1);
    assert.equal(account.busy, '');
});

test('another device switches do-not-disturb', async () => {
    const {account} = make({me: {user: bob, dnd: {on: true, until: '2026-03-05T08:00:00Z'}, mayInvite: false}});
    account.gotSelf({...bob, dnd: true});
    assert.equal(account.dnd.on, true, 'not at once');
    await new Promise(resolve => setTimeout(resolve));
    assert.deepEqual(account.dnd.until, new Date('2026-03-05T08:00:00Z'));
});

test('nothing is left for the next person', async () => {
    let finish;
    const {account} = make({blocks: () => new Promise(resolve => {
        finish ??= resolve;
    })});
    const late = account.load();
    await account.invite();
    account.clear();
    finish([bob]);
    await late;
    assert.equal(account.blocked.size, 0, 'an answer for the last person was taken');
    assert.deepEqual([account.sessions, account.invitations, account.link, account.busy, account.dnd.on], [null, null, '', '', false]);
});
