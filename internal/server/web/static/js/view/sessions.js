/** Where one is signed in, and ways to end that. */
import {lastUsed} from '../words.js';
import {card} from './card.js';
import {attr, h, icon, list, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../protocol.js').SessionInfo} SessionInfo */

/** @param {Session} session */
export function sessionsCard({account}) {
    const rows = h('ul', {class: 'plain-rows', testid: 'sessions', 'aria-label': 'Devices'});
    const others = h('button', {type: 'button', class: 'secondary', testid: 'end-others', onclick: () => account.endOthers()}, 'Sign out the others');
    const all = h('button', {type: 'button', class: 'secondary risky', testid: 'sign-out-everywhere', onclick: () => account.signOutEverywhere()}, 'Sign out everywhere');
    const part = card(account, 'sessions', 'Where you are signed in', rows, h('div', {class: 'actions start'}, others, all));

    function update() {
        part.update();
        const sessions = account.sessions ?? [];
        list(rows, sessions, s => s.id, s => row(account, s));
        show(others, sessions.some(s => !s.current));
        others.disabled = all.disabled = account.busy !== '';
    }
    return {node: part.node, update};
}

/**
 * @param {import('../account.js').Account} account
 * @param {SessionInfo} first
 */
function row(account, {id, device, current}) {
    const name = device || 'A device without a name';
    const note = h('span', {class: 'row-note'});
    const end = h('button', {type: 'button', class: 'link', testid: 'end-session', 'aria-label': `Sign out ${name}`, onclick: () => account.endSession(id)}, 'Sign out');
    const node = h('li', {}, icon('device'), h('span', {class: 'row-text'}, h('span', {class: 'row-name', dir: 'auto'}, name), note), !current && end);
    attr(node, 'data-current', current);
    /** @param {SessionInfo} s */
    const update = s => {
        setText(note, s.current ? 'This browser' : lastUsed(new Date(s.used), new Date()));
        end.disabled = account.busy !== '';
    };
    return {node, update};
}
