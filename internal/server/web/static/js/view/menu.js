/** The person's own menu: who is signed in here, what they chose on this browser, and the way out. */
import {moment} from '../words.js';
import {attr, avatar, h, icon, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */

/** @param {Session} session */
export function menuView(session) {
    const faces = [avatar(), avatar()];
    const name = h('span', {class: 'row-name', dir: 'auto'});
    const state = h('span', {class: 'row-note'});
    const dot = h('span', {class: 'presence'});
    const button = h('button', {type: 'button', class: 'me', testid: 'menu', 'aria-label': 'Your menu', popovertarget: 'menu', 'aria-haspopup': 'dialog'},
        h('span', {class: 'avatar-box'}, faces[0].node, dot));

    const {account} = session;
    const dnd = toggle('moon', 'Do not disturb', 'Nobody can ring you. You see afterwards who called.', 'dnd', () => account.setDND(!account.dnd.on));
    const times = dndTimes(session);
    const relay = toggle('shield', 'Hide my address', 'Calls always go through the server, so that nobody sees where you are.',
        'relay-only', () => session.setSettings({relayOnly: !session.settings.relayOnly}));
    const sound = toggle('sound', 'Clean up my sound', 'Takes away noise and levels your voice. Switch it off for music.',
        'clean-sound', () => session.setSettings({cleanSound: !session.settings.cleanSound}));
    const notify = toggle('bell', 'Notify me of calls', 'Shows a message when this page is out of sight.', 'notify', async () => {
        await Notification.requestPermission();
        session.changed();
    });
    const menu = h('div', {id: 'menu', class: 'menu', popover: 'auto', role: 'dialog', 'aria-label': 'Your menu'},
        h('div', {class: 'menu-head'}, faces[1].node, h('span', {class: 'row-text'}, name, state)),
        dnd.node, times.node, relay.node, sound.node, notify.node,
        h('button', {type: 'button', class: 'menu-item', testid: 'account', onclick: () => {
            menu.hidePopover();
            session.go({page: 'account'});
        }}, icon('person'), 'Your account'),
        h('button', {type: 'button', class: 'menu-item', testid: 'sign-out', onclick: () => {
            menu.hidePopover();
            session.signOut();
        }}, icon('leave'), 'Sign out'));

    function update() {
        for (const face of faces)
            face.update(session.self);
        setText(name, session.self.name);
        setText(state, !session.online ? 'Connecting…' : account.dnd.on ? dndWords(account.dnd) : 'Online');
        attr(button, 'data-online', String(session.online));
        attr(button, 'data-dnd', account.dnd.on);
        dnd.update(account.dnd.on);
        /** @type {HTMLButtonElement} */ (dnd.node).disabled = account.busy !== '';
        times.update();
        relay.update(session.settings.relayOnly);
        sound.update(session.settings.cleanSound);
        show(notify.node, 'Notification' in window && window.isSecureContext && Notification.permission !== 'denied');
        const allowed = 'Notification' in window && Notification.permission === 'granted';
        notify.update(allowed);
        /** @type {HTMLButtonElement} */ (notify.node).disabled = allowed; // only the browser can take it back
    }
    return {button, menu, update};
}

/**
 * For how long nobody may ring, shown while that is so.
 * @param {Session} session
 */
function dndTimes({account}) {
    const morning = () => {
        const t = new Date();
        t.setDate(t.getDate() + 1);
        t.setHours(8, 0, 0, 0);
        return t;
    };
    const choice = (/** @type {string} */ text, /** @type {string} */ testid, /** @type {() => Date|null} */ until) =>
        h('button', {type: 'button', testid, onclick: () => account.setDND(true, until())}, text);
    const hourly = choice('1 hour', 'dnd-hour', () => new Date(Date.now() + 3_600_000));
    const tomorrow = choice('Until tomorrow', 'dnd-tomorrow', morning);
    const always = choice('Always', 'dnd-always', () => null);
    const node = h('div', {class: 'segments dnd-times', role: 'group', 'aria-label': 'For how long'}, hourly, tomorrow, always);
    function update() {
        const {on, until} = account.dnd;
        show(node, on);
        const left = until ? until.getTime() - Date.now() : 0;
        attr(always, 'aria-current', !until && 'true');
        attr(hourly, 'aria-current', Boolean(until) && left <= 3_600_000 && 'true');
        attr(tomorrow, 'aria-current', Boolean(until) && left > 3_600_000 && 'true');
    }
    return {node, update};
}

/** @param {{on: boolean, until: Date|null}} dnd */
export const dndWords = ({until}) => until ? `Do not disturb until ${moment(until, new Date())}` : 'Do not disturb';

/**
 * @param {Parameters<typeof icon>[0]} sign
 * @param {string} text
 * @param {string} note
 * @param {string} testid
 * @param {() => void} onclick
 */
function toggle(sign, text, note, testid, onclick) {
    const node = h('button', {type: 'button', class: 'menu-item', role: 'switch', testid, onclick}, icon(sign),
        h('span', {class: 'row-text'}, h('span', {class: 'row-name'}, text), h('span', {class: 'row-note'}, note)), h('span', {class: 'switch', 'aria-hidden': 'true'}));
    return {node, update: (/** @type {boolean} */ on) => attr(node, 'aria-checked', String(on))};
}
