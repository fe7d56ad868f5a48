/** The signed-in page: people or calls at the side, a chat, a call's details or one's account beside it; on a phone one of the two at a time. */
import {accountView} from './account.js';
import {blockDialog} from './blocking.js';
import {callDetailsView, callsView} from './calls.js';
import {attr, avatar, h, icon, iconButton, label, setText, show} from './dom.js';
import {dndWords, menuView} from './menu.js';
import {peopleView, presenceWords, setUnread} from './people.js';
import {brand} from './signin.js';

/** @typedef {import('../session.js').Session} Session */

/**
 * @param {Session} session
 * @param {ReturnType<typeof import('./chat.js').chatView>} chat shared with the call's page
 */
export function homeView(session, chat) {
    const menu = menuView(session);
    const people = peopleView(session);
    const calls = callsView(session);
    const details = callDetailsView(session);
    const account = accountView(session);
    const header = chatHeader(session);
    const strip = quietStrip(session);

    const unread = h('span', {class: 'badge'});
    const missed = h('span', {class: 'badge missed'});
    const peopleTab = h('button', {type: 'button', testid: 'people', onclick: () => session.go({page: 'people'})}, icon('people'), 'People', unread);
    const callsTab = h('button', {type: 'button', testid: 'calls', onclick: () => session.go({page: 'calls'})}, icon('clock'), 'Calls', missed);
    const back = iconButton('back', 'Back', {class: 'quiet back', onclick: () => session.go(inCalls() ? {page: 'calls'} : {page: 'people'})});
    const side = h('div', {class: 'side'},
        h('header', {class: 'side-head'}, brand('h1'), menu.button),
        strip.node, h('nav', {class: 'segments', 'aria-label': 'Pages'}, peopleTab, callsTab), people.node, calls.node);
    const chatSlot = h('div', {class: 'chat-slot'});
    const main = h('section', {class: 'main', 'aria-label': 'Open page'}, h('header', {class: 'main-head'}, back, header.node), chatSlot, details.node, account.node);
    const banner = h('p', {class: 'banner', role: 'status'});
    const node = h('main', {class: 'home', tabindex: -1}, banner, side, main, menu.menu);

    const inCalls = () => session.route.page === 'calls' || session.route.page === 'call';

    function update() {
        const {route} = session;
        attr(node, 'data-page', route.page);
        setText(banner, session.linkNote ? `${session.linkNote} Reconnecting…` : '');
        show(banner, session.linkNote !== '');
        attr(peopleTab, 'aria-current', !inCalls() && 'page');
        attr(callsTab, 'aria-current', inCalls() && 'page');
        setUnread(unread, totalUnread(session));
        setUnread(missed, session.missed());
        attr(missed, 'aria-label', `${session.missed()} missed`);
        menu.update();
        strip.update();
        const inAccount = route.page === 'account';
        show(people.node, !inCalls());
        show(calls.node, inCalls());
        show(details.node, inCalls());
        show(account.node, inAccount);
        show(chatSlot, !inCalls() && !inAccount);
        if (inAccount) {
            people.update();
            account.update();
            header.update(null, 'Your account');
            return;
        }
        if (inCalls()) {
            calls.update();
            details.update();
            header.update(null, 'Call');
            return;
        }
        people.update();
        const id = route.page === 'chat' ? route.id : '';
        header.update(id);
        if (chat.node.parentNode !== chatSlot)
            chatSlot.append(chat.node);
        chat.update(id);
    }
    return {node, update};
}

/**
 * Says that nobody can ring this person, who may have forgotten it.
 * @param {Session} session
 */
function quietStrip({account}) {
    const words = h('span', {});
    const node = h('p', {class: 'strip', testid: 'dnd-strip', role: 'status'}, icon('moon'), words,
        h('button', {type: 'button', class: 'link', testid: 'dnd-off', onclick: () => account.setDND(false)}, 'Turn off'));
    function update() {
        show(node, account.dnd.on);
        setText(words, dndWords(account.dnd));
    }
    return {node, update};
}

/** @param {Session} session */
function totalUnread(session) {
    let n = session.chats.chat('').unread;
    for (const id of session.people.keys())
        n += session.chats.chat(id).unread;
    return n;
}

/** @param {Session} session */
function chatHeader(session) {
    let id = '';
    const face = avatar();
    const dot = h('span', {class: 'presence'});
    const faceBox = h('span', {class: 'avatar-box'}, face.node, dot);
    const lobby = h('span', {class: 'avatar lobby', 'aria-hidden': 'true'}, icon('lobby'));
    const name = h('h1', {dir: 'auto'});
    const note = h('p', {class: 'row-note'});
    const voice = iconButton('phone', '', {class: 'quiet', testid: 'chat-voice', onclick: () => session.calling.dial(id, false)});
    const video = iconButton('camera', '', {class: 'primary', testid: 'chat-video', onclick: () => session.calling.dial(id, true)});
    const dialog = blockDialog(session);
    const block = iconButton('block', '', {class: 'quiet', testid: 'block', onclick: () => dialog.open(session.people.get(id))});
    const node = h('div', {class: 'chat-head'}, lobby, faceBox, h('div', {class: 'row-text'}, name, note), block, voice, video, dialog.node);

    /**
     * @param {string|null} which a user id; empty: the lobby; null: no chat
     * @param {string} [title] of what is no chat
     */
    function update(which, title = '') {
        id = which ?? '';
        const user = session.people.get(id);
        show(lobby, which === '');
        const blocked = session.account.blocks(id);
        show(faceBox, Boolean(user));
        for (const part of [voice, video])
            show(part, user !== undefined && !blocked);
        show(block, user?.kind === 'person' && !blocked);
        const online = [...session.people.values()].filter(u => u.online && u.kind === 'person').length + (session.online ? 1 : 0);
        setText(name, which === null ? title : user?.name ?? (id ? 'Somebody' : 'Lobby'));
        setText(note, user ? blocked ? 'Blocked' : presenceWords(user) : which === '' ? `${online} online` : id ? 'Not known on this server' : '');
        show(note, which !== null);
        if (!user)
            return;
        face.update(user);
        attr(node, 'data-online', String(user.online && !blocked));
        attr(node, 'data-dnd', user.dnd === true);
        label(block, `Block ${user.name}`);
        label(voice, `Call ${user.name} without video`);
        label(video, `Call ${user.name} with video`);
    }
    return {node, update};
}
