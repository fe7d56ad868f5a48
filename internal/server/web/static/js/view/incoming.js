/** Somebody calls: a dialog over whatever page is open. The focus goes to the dialog and not to a button, so that whoever types does not answer. */
import {attr, avatar, draw, h, icon, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */

/** @param {Session} session */
export function incomingView(session) {
    const {calling} = session;
    const face = avatar('huge');
    const name = h('h2', {id: 'caller', dir: 'auto'});
    const kind = h('p', {class: 'lead', id: 'caller-kind'});
    const answer = (/** @type {string} */ testid, /** @type {string} */ cls, /** @type {Parameters<typeof icon>[0]} */ sign, /** @type {string} */ text, /** @type {() => void} */ onclick) => {
        const mark = icon(sign);
        const words = h('span', {}, text);
        return {node: h('button', {type: 'button', class: `answer ${cls}`, testid, onclick}, h('span', {class: 'round'}, mark), words), mark, words};
    };
    const decline = answer('decline', 'decline', 'hangup', 'Decline', () => calling.decline());
    const plain = answer('accept-audio', 'accept-audio', 'phone', 'Without camera', () => calling.accept(false));
    const accept = answer('accept', 'accept', 'camera', 'Accept', () => calling.accept(calling.theirs.camera));
    const node = h('div', {class: 'incoming', hidden: true},
        h('div', {class: 'incoming-card', role: 'alertdialog', 'aria-modal': 'true', 'aria-labelledby': 'caller', 'aria-describedby': 'caller-kind', tabindex: -1},
            h('div', {class: 'pulse'}, face.node), name, kind, h('div', {class: 'answers'}, decline.node, plain.node, accept.node)));

    function update() {
        const shown = calling.state.phase === 'incoming';
        const wasHidden = node.hidden;
        show(node, shown);
        if (!shown)
            return;
        const video = calling.theirs.camera;
        face.update(calling.peer);
        setText(name, calling.peer.name);
        setText(kind, video ? 'Incoming video call' : 'Incoming voice call');
        show(plain.node, video);
        draw(accept.mark, video ? 'camera' : 'phone');
        attr(accept.node, 'aria-label', video ? 'Accept with camera' : 'Accept');
        if (wasHidden)
            /** @type {HTMLElement} */ (node.firstElementChild).focus();
    }
    return {node, update};
}
