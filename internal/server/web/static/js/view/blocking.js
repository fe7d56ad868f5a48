/** Keeping somebody away: the question before it, and what stands in the chat's place for writing afterwards. */
import {h, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../protocol.js').User} User */

/**
 * Asks before somebody is blocked.
 * @param {Session} session
 */
export function blockDialog({account}) {
    /** @type {User|undefined} */ let user;
    const title = h('h2', {id: 'block-title', dir: 'auto'});
    const node = h('dialog', {class: 'ask', 'aria-labelledby': 'block-title'}, title,
        h('p', {class: 'lead'}, 'They cannot call you or write to you, and see you as offline. They are not told.'),
        h('div', {class: 'actions'},
            h('button', {type: 'button', class: 'secondary', onclick: () => node.close()}, 'Cancel'),
            h('button', {type: 'button', class: 'primary danger', testid: 'block-confirm', onclick: () => {
                node.close();
                if (user)
                    account.block(user);
            }}, 'Block')));

    /** @param {User|undefined} whom */
    function open(whom) {
        user = whom;
        if (!user)
            return;
        setText(title, `Block ${user.name}?`);
        node.showModal();
    }
    return {node, open};
}

/**
 * Says in a chat that the other is blocked, with the way back.
 * @param {Session} session
 */
export function blockedBar({account, people}) {
    let id = '';
    const words = h('span', {dir: 'auto'});
    const problem = h('span', {class: 'problem', role: 'alert'});
    const node = h('div', {class: 'blocked-bar', testid: 'blocked-bar'}, words,
        h('button', {type: 'button', class: 'secondary', testid: 'unblock', onclick: () => account.unblock(id)}, 'Unblock'), problem);

    /**
     * @param {string} which a user id
     * @returns {boolean} whether they are blocked
     */
    function update(which) {
        id = which;
        const blocked = account.blocks(id);
        show(node, blocked);
        setText(words, `You have blocked ${people.get(id)?.name ?? account.blocked.get(id)?.name ?? 'this person'}.`);
        setText(problem, account.said.step === 'block' && account.said.failed ? account.said.text : '');
        show(problem, problem.textContent !== '');
        return blocked;
    }
    return {node, update};
}
