/** The people of this server: the lobby first, then everybody by presence and name, with search, and buttons to call. */
import {attr, avatar, h, icon, iconButton, label, list, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../protocol.js').User} User */

/** @param {Session} session */
export function peopleView(session) {
    const search = h('input', {type: 'search', class: 'search', placeholder: 'Search people', 'aria-label': 'Search people', oninput: () => session.changed()});
    const rows = h('ul', {class: 'rows', 'aria-label': 'People'});
    const nobody = h('p', {class: 'empty'});
    const lobby = lobbyRow(session);
    const node = h('section', {class: 'list', 'aria-label': 'People'},
        h('div', {class: 'search-field'}, icon('search'), search), h('div', {class: 'scroll'}, lobby.node, rows, nobody));

    function update() {
        const wanted = search.value.trim().toLocaleLowerCase();
        const roster = session.roster();
        const found = roster.filter(u => u.name.toLocaleLowerCase().includes(wanted));
        lobby.update();
        show(lobby.node, wanted === '');
        list(rows, found, u => u.id, u => personRow(session, u));
        setText(nobody, roster.length ? `Nobody here is called “${search.value.trim()}”.` : 'Nobody else is here yet. Tell somebody the address of this page.');
        show(nobody, found.length === 0);
    }
    return {node, update};
}

/** @param {Session} session */
function lobbyRow(session) {
    const unread = h('span', {class: 'badge'});
    const open = h('button', {type: 'button', class: 'row-open', testid: 'lobby', onclick: () => session.go({page: 'lobby'})},
        h('span', {class: 'avatar lobby', 'aria-hidden': 'true'}, icon('lobby')),
        h('span', {class: 'row-text'}, h('span', {class: 'row-name'}, 'Lobby'), h('span', {class: 'row-note'}, 'Everybody on this server')), unread);
    const node = h('div', {class: 'row'}, open);
    const update = () => {
        setUnread(unread, session.chats.chat('').unread);
        attr(open, 'aria-current', session.chatInView() === '' && 'page');
    };
    return {node, update};
}

/**
 * @param {Session} session
 * @param {User} first
 */
function personRow(session, {id, name: testName}) {
    const face = avatar();
    const dot = h('span', {class: 'presence'});
    const name = h('span', {class: 'row-name', dir: 'auto'});
    const note = h('span', {class: 'row-note'});
    const unread = h('span', {class: 'badge'});
    const open = h('button', {type: 'button', class: 'row-open', testid: `user-${testName}`, onclick: () => session.go({page: 'chat', id})},
        h('span', {class: 'avatar-box'}, face.node, dot), h('span', {class: 'row-text'}, name, note), unread);
    const voice = iconButton('phone', '', {class: 'quiet', testid: `voice-${testName}`, onclick: () => session.calling.dial(id, false)});
    const video = iconButton('camera', '', {class: 'quiet', testid: `call-${testName}`, onclick: () => session.calling.dial(id, true)});
    const actions = h('span', {class: 'row-actions'}, voice, video);
    const node = h('li', {class: 'row'}, open, actions);

    /** @param {User} user */
    const update = user => {
        face.update(user);
        const blocked = session.account.blocks(id);
        attr(node, 'data-online', String(user.online && !blocked));
        attr(node, 'data-dnd', user.dnd === true);
        setText(name, user.name);
        setText(note, blocked ? 'Blocked' : presenceWords(user));
        show(actions, !blocked);
        setUnread(unread, session.chats.chat(id).unread);
        attr(open, 'aria-current', session.chatInView() === id && 'page');
        label(voice, `Call ${user.name} without video`);
        label(video, `Call ${user.name} with video`);
    };
    return {node, update};
}

/** @param {User} user */
export function presenceWords(user) {
    if (user.kind === 'echo')
        return 'See and hear yourself';
    if (user.online && user.dnd)
        return 'Do not disturb';
    return user.online ? 'Online' : 'Offline';
}

/**
 * @param {HTMLElement} badge
 * @param {number} n
 */
export function setUnread(badge, n) {
    setText(badge, n > 99 ? '99+' : String(n));
    attr(badge, 'aria-label', n === 1 ? '1 new message' : `${n} new messages`);
    show(badge, n > 0);
}
