/** A part of the account's page, with a place for how the last step of its kind went. */
import {attr, h, setText, show} from './dom.js';

/** @typedef {import('../account.js').Step} Step */
/** @typedef {import('./dom.js').Child} Child */

/**
 * @param {import('../account.js').Account} account
 * @param {Step} step
 * @param {string} title
 * @param {...Child} children
 */
export function card(account, step, title, ...children) {
    const outcome = h('p', {class: 'outcome', role: 'status', testid: `outcome-${step}`});
    const node = h('section', {class: 'part', 'aria-label': title}, h('h3', {}, title), ...children, outcome);
    function update() {
        const {said} = account;
        const here = said.step === step;
        setText(outcome, here ? said.text : '');
        attr(outcome, 'data-failed', here && said.failed);
        show(outcome, outcome.textContent !== '');
    }
    return {node, update};
}
