/** The page of one's own account: password, devices, invitations, blocked people, data. One file a card beside this one. */
import {card} from './card.js';
import {avatar, h, icon, list, setText, show} from './dom.js';
import {invitationsCard} from './invitations.js';
import {deleteDialog} from './leaving.js';
import {sessionsCard} from './sessions.js';

/** @typedef {import('../session.js').Session} Session */

/** @param {Session} session */
export function accountView(session) {
    const face = avatar('large');
    const name = h('h2', {dir: 'auto'});
    const where = h('p', {class: 'row-note'}, `At ${location.host}`);
    const cards = [passwordCard(session), sessionsCard(session), invitationsCard(session), blockedCard(session), dataCard(session)];
    const node = h('div', {class: 'account scroll', testid: 'account-page'},
        h('div', {class: 'account-box'}, h('header', {class: 'account-head'}, face.node, h('div', {class: 'row-text'}, name, where)), ...cards.map(c => c.node)));

    function update() {
        face.update(session.self);
        setText(name, session.self.name);
        for (const card of cards)
            card.update();
    }
    return {node, update};
}

/** @param {Session} session */
function passwordCard(session) {
    const {account} = session;
    /** Tells password managers whose passwords these are. */
    const user = h('input', {class: 'unseen', autocomplete: 'username', name: 'username', tabindex: -1, 'aria-hidden': 'true', readonly: true});
    const field = (/** @type {string} */ id, /** @type {string} */ autocomplete) =>
        h('input', {id, testid: id, type: 'password', autocomplete, maxlength: 256, required: true});
    const old = field('old-password', 'current-password');
    const fresh = field('new-password', 'new-password');
    const submit = h('button', {class: 'secondary', type: 'submit', testid: 'change-password'}, 'Change password');
    const form = h('form', {method: 'post', novalidate: true, onsubmit: send},
        user, h('label', {for: 'old-password'}, 'Current password'), old,
        h('label', {for: 'new-password'}, 'New password'), fresh, h('p', {class: 'hint'}, 'At least 8 characters. Your other devices will be signed out.'), submit);
    const part = card(account, 'password', 'Password', form);

    /** @param {SubmitEvent} e */
    async function send(e) {
        e.preventDefault();
        const missing = [old, fresh].find(input => !input.value);
        if (missing)
            missing.focus();
        else if (await account.changePassword(old.value, fresh.value))
            old.value = fresh.value = '';
    }

    function update() {
        part.update();
        user.value = session.self.name;
        submit.disabled = account.busy !== '';
        setText(submit, account.busy === 'password' ? 'One moment…' : 'Change password');
    }
    return {node: part.node, update};
}

/** @param {Session} session */
function blockedCard({account}) {
    const rows = h('ul', {class: 'plain-rows', 'aria-label': 'Blocked people'});
    const none = h('p', {class: 'hint'}, 'You have blocked nobody. You can block somebody from their chat.');
    const part = card(account, 'block', 'Blocked people', rows, none);
    function update() {
        part.update();
        const users = [...account.blocked.values()].sort((a, b) => a.name.localeCompare(b.name));
        list(rows, users, u => u.id, ({id, name}) => {
            const free = h('button', {type: 'button', class: 'link', testid: `unblock-${name}`, 'aria-label': `Unblock ${name}`, onclick: () => account.unblock(id)}, 'Unblock');
            const face = avatar('small');
            face.update({name});
            return {node: h('li', {}, face.node, h('span', {class: 'row-text', dir: 'auto'}, name), free), update: () => {
                free.disabled = account.busy !== '';
            }};
        });
        show(none, users.length === 0);
    }
    return {node: part.node, update};
}

/** @param {Session} session */
function dataCard(session) {
    const {account} = session;
    const dialog = deleteDialog(session);
    const part = card(account, 'load', 'Your data',
        h('p', {class: 'hint'}, 'The server keeps your name, your calls and your messages. Save a copy, or delete your account.'),
        h('div', {class: 'actions start'},
            h('a', {class: 'secondary', href: '/api/export', download: true, testid: 'export'}, icon('save'), 'Save a copy'),
            h('button', {type: 'button', class: 'secondary risky', testid: 'delete-account', onclick: () => dialog.open()}, icon('trash'), 'Delete my account')),
        dialog.node);
    function update() {
        part.update();
        dialog.update();
    }
    return {node: part.node, update};
}
