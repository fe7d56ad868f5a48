/** One chat, the lobby or a person's: the log with days and who said it, older lines on demand, and the field to write in. */
import {maxChat} from '../protocol.js';
import {day, hour} from '../words.js';
import {blockedBar} from './blocking.js';
import {attr, avatar, h, icon, iconButton, list, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../chats.js').Line} Line */
/** @typedef {{line: Line, day: string, first: boolean, mine: boolean}} Shown */

/** Lines of one person within so long make one group. */
const groupMs = 5 * 60_000;
/** Nearer to the end than this, the log follows new lines; px. */
const nearEnd = 80;

/** @param {Session} session */
export function chatView(session) {
    let id = '';
    /** The one that is shown; after a sign-out that of the same id is another. @type {import('../chats.js').Chat|null} */ let shownChat = null;
    let following = true;
    const older = h('button', {type: 'button', class: 'link older', onclick: () => session.chats.load(id, true)}, 'Show older messages');
    const lines = h('ol', {class: 'lines'});
    const empty = h('p', {class: 'empty'});
    const log = h('div', {class: 'chat-log', testid: 'chat-log', role: 'log', 'aria-label': 'Messages', tabindex: 0, onscroll: noteEnd}, older, lines, empty);
    const input = h('textarea', {
        class: 'chat-input', testid: 'chat-input', rows: 1, maxlength: maxChat, 'aria-label': 'Message', enterkeyhint: 'send', dir: 'auto',
        oninput: typed, onkeydown: keys,
    });
    const sendButton = iconButton('send', 'Send', {class: 'primary', testid: 'chat-send', type: 'submit'});
    const form = h('form', {class: 'chat-form', onsubmit: (/** @type {Event} */ e) => {
        e.preventDefault();
        send();
    }}, input, sendButton);
    const blocked = blockedBar(session);
    const node = h('div', {class: 'chat'}, log, form, blocked.node);

    function noteEnd() {
        following = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
    }

    function typed() {
        if (shownChat)
            shownChat.draft = input.value;
        grow();
    }

    function grow() {
        input.style.height = 'auto';
        input.style.height = `${input.scrollHeight}px`;
    }

    /** @param {KeyboardEvent} e */
    function keys(e) {
        if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
            e.preventDefault();
            send();
        }
    }

    function send() {
        const text = input.value.replace(/[^\P{Cc}\n\t]/gu, '').trim();
        if (!text)
            return;
        input.value = '';
        typed();
        following = true;
        session.chats.send(id, text);
        input.focus();
    }

    /** @param {string} which a user id; empty: the lobby */
    function update(which) {
        id = which;
        const chat = session.chats.chat(id);
        if (chat !== shownChat) {
            shownChat = chat;
            following = true;
            input.value = chat.draft;
            grow();
        }
        const name = session.people.get(id)?.name ?? '';
        show(form, !blocked.update(id));
        attr(input, 'placeholder', id ? `Message ${name}` : 'Message everybody');
        show(older, chat.more);
        older.disabled = chat.loading;
        const height = log.scrollHeight;
        list(lines, shown(chat.lines, session.self.id), s => s.line.key, s => lineView(session, id, s));
        setText(empty, id ? `No messages with ${name} yet.` : 'Nobody has said anything yet. Say hello.');
        show(empty, chat.loaded && chat.lines.length === 0);
        if (following)
            log.scrollTop = log.scrollHeight;
        else if (log.scrollTop < nearEnd)
            log.scrollTop += log.scrollHeight - height; // older lines came in above; what is read stays where it is
    }
    new ResizeObserver(() => {
        if (following)
            log.scrollTop = log.scrollHeight;
    }).observe(log);
    return {node, update, focus: () => input.focus()};
}

/**
 * @param {Line[]} lines
 * @param {string} self
 * @returns {Shown[]}
 */
function shown(lines, self) {
    const now = new Date();
    return lines.map((line, i) => {
        const before = lines[i - 1];
        const today = day(line.sent, now);
        const newDay = !before || day(before.sent, now) !== today;
        const first = newDay || before.fromId !== line.fromId || line.sent.getTime() - before.sent.getTime() > groupMs;
        return {line, day: newDay ? today : '', first, mine: line.fromId === self};
    });
}

/**
 * @param {Session} session
 * @param {string} chat
 * @param {Shown} s
 */
function lineView(session, chat, {line, mine}) {
    const face = mine ? null : avatar('small');
    face?.update({name: line.fromName});
    const date = h('p', {class: 'day'});
    const author = h('span', {class: 'author', dir: 'auto'});
    const time = h('time', {});
    const again = h('button', {type: 'button', class: 'link', onclick: () => session.chats.again(chat, line)}, 'Send again');
    const why = h('span', {});
    const failed = h('p', {class: 'failed', role: 'alert'}, icon('info'), why, again);
    const node = h('li', {class: `line ${mine ? 'mine' : 'theirs'}`}, date,
        h('div', {class: 'line-row'}, face?.node, h('div', {class: 'bubble'}, author, h('p', {class: 'said', dir: 'auto'}, line.text), time)), failed);

    /** @param {Shown} s */
    const update = s => {
        setText(date, s.day);
        show(date, s.day !== '');
        setText(author, s.line.fromName);
        show(author, s.first && !mine && chat === '');
        attr(node, 'data-first', s.first);
        attr(node, 'data-fate', s.line.fate);
        setText(time, s.line.fate === 'pending' ? 'Sending…' : hour(s.line.sent));
        attr(time, 'datetime', s.line.sent.toISOString());
        setText(why, `Not sent. ${s.line.why ?? ''}`);
        show(failed, s.line.fate === 'failed');
    };
    return {node, update};
}
