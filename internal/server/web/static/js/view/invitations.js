/** Links that let others make an account here: making one, and those that are out. */
import {moment} from '../words.js';
import {card} from './card.js';
import {h, icon, list, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../protocol.js').Invitation} Invitation */

/** @param {Session} session */
export function invitationsCard({account}) {
    const link = h('input', {readonly: true, testid: 'invite-link', 'aria-label': 'Invitation link', onfocus: () => link.select()});
    const copy = h('button', {type: 'button', class: 'secondary', testid: 'copy-invite', onclick: copyLink}, 'Copy');
    const fresh = h('div', {class: 'copy-row'}, link, copy);
    const once = h('p', {class: 'hint'}, 'Send it to one person. It is shown only now, and good for one account.');
    const make = h('button', {type: 'button', class: 'secondary', testid: 'make-invite', onclick: () => account.invite()}, icon('link'), 'Make an invitation link');
    const rows = h('ul', {class: 'plain-rows', 'aria-label': 'Your invitations'});
    const part = card(account, 'invite', 'Invite somebody', fresh, once, rows, h('div', {class: 'actions start'}, make));

    async function copyLink() {
        link.select();
        const done = await navigator.clipboard?.writeText(link.value).then(() => true, () => false);
        setText(copy, done ? 'Copied' : 'Copy it now');
    }

    function update() {
        part.update();
        show(part.node, account.mayInvite);
        if (link.value !== account.link) {
            link.value = account.link;
            setText(copy, 'Copy');
        }
        show(fresh, account.link !== '');
        show(once, account.link !== '');
        list(rows, account.invitations ?? [], i => i.id, i => row(account, i));
        make.disabled = account.busy !== '';
    }
    return {node: part.node, update};
}

/**
 * @param {import('../account.js').Account} account
 * @param {Invitation} first
 */
function row(account, {id}) {
    const title = h('span', {class: 'row-name', dir: 'auto'});
    const note = h('span', {class: 'row-note'});
    const end = h('button', {type: 'button', class: 'link', testid: 'revoke-invite', onclick: () => account.revoke(id)}, 'Revoke');
    const node = h('li', {}, icon('link'), h('span', {class: 'row-text'}, title, note), end);
    /** @param {Invitation} i */
    const update = i => {
        const used = i.usedBy ?? [];
        const over = i.usesLeft === 0 || (i.expires !== undefined && Date.parse(i.expires) < Date.now());
        setText(title, used.length ? `Used by ${used.join(', ')}` : over ? 'Expired' : 'Not used yet');
        setText(note, over ? 'Not good any more' : i.expires ? `Good until ${moment(new Date(i.expires), new Date())}` : 'Good until you revoke it');
        show(end, !over);
        end.disabled = account.busy !== '';
    };
    return {node, update};
}
