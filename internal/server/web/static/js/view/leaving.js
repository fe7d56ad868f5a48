/** Deleting one's account: a question that wants the password, because there is no way back. */
import {h, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */

/** @param {Session} session */
export function deleteDialog({account}) {
    const password = h('input', {id: 'delete-password', testid: 'delete-password', type: 'password', autocomplete: 'current-password', maxlength: 256, required: true});
    const lines = h('input', {id: 'delete-lines', testid: 'delete-lines', type: 'checkbox'});
    const problem = h('p', {class: 'problem', role: 'alert', testid: 'delete-problem'});
    const submit = h('button', {type: 'submit', class: 'primary danger', testid: 'delete-confirm'}, 'Delete for ever');
    const form = h('form', {method: 'post', novalidate: true, onsubmit: send},
        h('label', {for: 'delete-password'}, 'Your password'), password,
        h('label', {class: 'choice', for: 'delete-lines'}, lines, h('span', {}, 'Also take away what I wrote to others')), problem,
        h('div', {class: 'actions'}, h('button', {type: 'button', class: 'secondary', onclick: () => node.close()}, 'Keep it'), submit));
    const node = h('dialog', {class: 'ask', 'aria-labelledby': 'delete-title', onclose: () => {
        password.value = '';
    }}, h('h2', {id: 'delete-title'}, 'Delete your account?'),
    h('p', {class: 'lead'}, 'Your name, password, devices and settings are deleted on the server. ' +
        'Calls and messages stay with the people they were with, without your name. This cannot be undone.'), form);

    /** @param {SubmitEvent} e */
    async function send(e) {
        e.preventDefault();
        if (!password.value)
            password.focus();
        else if (await account.remove(password.value, lines.checked))
            node.close();
        else
            password.focus();
    }

    function open() {
        account.forgetOutcome();
        lines.checked = false;
        update();
        node.showModal();
    }

    function update() {
        setText(problem, account.said.step === 'delete' && account.said.failed ? account.said.text : '');
        show(problem, problem.textContent !== '');
        submit.disabled = account.busy !== '';
        setText(submit, account.busy === 'delete' ? 'One moment…' : 'Delete for ever');
    }
    return {node, open, update};
}
