/** The page after a call: how it ended in plain words, and what one may want next. */
import {duration, endWords} from '../words.js';
import {attr, avatar, h, icon, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */

/** @param {Session} session */
export function endedView(session) {
    const {calling} = session;
    const face = avatar('huge');
    const title = h('h1', {dir: 'auto'});
    const why = h('p', {class: 'lead', dir: 'auto'});
    const reason = h('div', {testid: 'end-reason', role: 'status'}, title, why);
    const facts = h('p', {class: 'ended-facts'});
    const node = h('main', {class: 'ended', hidden: true, tabindex: -1, 'aria-label': 'Call ended'}, h('div', {class: 'ended-card'}, face.node, reason, facts,
        h('div', {class: 'actions'},
            h('button', {type: 'button', class: 'primary', testid: 'call-again', onclick: () => session.callAgain(calling.state.video || !calling.state.outgoing && calling.theirs.camera)}, icon('phone'), 'Call again'),
            h('button', {type: 'button', class: 'secondary', testid: 'message-after', onclick: () => session.messageAfterCall()}, icon('chat'), 'Message'),
            h('button', {type: 'button', class: 'secondary', testid: 'dismiss', onclick: () => session.dismiss()}, 'Close'))));

    function update() {
        const {state, peer, since, lasted, endedBy, quality} = calling;
        const shown = state.phase === 'ended';
        const wasHidden = node.hidden;
        show(node, shown);
        if (!shown)
            return;
        face.update(peer);
        const [headline, line] = endWords({reason: state.reason, outgoing: state.outgoing, name: peer.name, byMe: endedBy !== peer.id, talked: since > 0});
        attr(reason, 'data-reason', state.reason);
        setText(title, headline);
        setText(why, line);
        const path = quality.path === 'relay' ? ' · through the relay' : quality.path === 'direct' ? ' · direct connection' : '';
        setText(facts, `${duration(lasted)}${path}`);
        show(facts, since > 0);
        if (wasHidden)
            node.focus();
    }
    return {node, update};
}
