/** The first page: sign in, or create an account, with an invitation where the server wants one. */
import {devicesAllowed} from '../capture.js';
import {inviteIn} from '../route.js';
import {moment} from '../words.js';
import {attr, draw, h, icon, iconButton, label, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {'login'|'register'} How */

const words = {
    login: {title: 'Welcome back', lead: 'Sign in to call and be called.', submit: 'Sign in', autocomplete: 'current-password', hint: ''},
    register: {
        title: 'Create your account', lead: 'A name and a password, nothing else.', submit: 'Create account', autocomplete: 'new-password',
        hint: 'At least 8 characters.',
    },
};

/** @param {Session} session */
export function signInView(session) {
    /** @type {How} */
    let how = 'login';
    const tab = (/** @type {How} */ which, /** @type {string} */ text) => h('button', {
        type: 'button', role: 'tab', testid: which, id: `tab-${which}`, 'aria-controls': 'account', onclick: () => choose(which), onkeydown: arrows,
    }, text);
    const tabs = {login: tab('login', 'Sign in'), register: tab('register', 'Create account')};
    const tabList = h('div', {class: 'segments', role: 'tablist', 'aria-label': 'Sign in or create an account'}, tabs.login, tabs.register);

    const farewell = h('p', {class: 'notice', role: 'status', testid: 'farewell'});
    const title = h('h1', {});
    const lead = h('p', {class: 'lead', testid: 'lead'});
    const invite = h('input', {
        id: 'invite', name: 'invite', testid: 'invite', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: 400,
        'aria-describedby': 'invite-hint problem',
    });
    const inviteField = h('div', {class: 'field'}, h('label', {for: 'invite'}, 'Invitation'), invite,
        h('p', {class: 'hint', id: 'invite-hint'}, 'Paste the link that you were sent.'));
    const name = h('input', {
        id: 'username', name: 'username', testid: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 64, required: true,
        'aria-describedby': 'name-hint problem',
    });
    const nameHint = h('p', {class: 'hint', id: 'name-hint'}, 'Without spaces, such as anna.brandt.');
    const password = h('input', {
        id: 'password', name: 'password', testid: 'password', type: 'password', maxlength: 256, required: true, 'aria-describedby': 'hint problem',
    });
    const eye = iconButton('eye', 'Show password', {class: 'in-field', onclick: toggleEye});
    const hint = h('p', {class: 'hint', id: 'hint'});
    const problem = h('p', {class: 'problem', id: 'problem', role: 'alert'});
    const submit = h('button', {class: 'primary wide', type: 'submit', testid: 'submit'});
    const form = h('form', {method: 'post', novalidate: true, onsubmit: send}, inviteField,
        h('label', {for: 'username'}, 'Name'), name, nameHint,
        h('label', {for: 'password'}, 'Password'), h('div', {class: 'with-button'}, password, eye), hint, problem, submit);
    const panel = h('div', {id: 'account', role: 'tabpanel'}, form);
    const footnote = h('p', {class: 'footnote', testid: 'footnote'});
    const unsafe = h('p', {class: 'notice'}, icon('info'),
        h('span', {}, 'This page was not opened over HTTPS, so calls will be without your camera and microphone.'));

    const node = h('main', {class: 'sign-in'},
        h('div', {class: 'card'}, brand('div'), farewell, title, lead, tabList, panel, unsafe),
        footnote);

    /** @param {How} which */
    function choose(which) {
        how = which;
        session.signInNote = '';
        session.changed();
    }

    /** An invitation in the address has been seen: the form for a new account comes first. */
    let seen = '';
    function followInvite() {
        if (session.invite.secret === seen)
            return;
        seen = session.invite.secret;
        if (seen)
            how = 'register';
    }

    /** Whether the field for an invitation is needed: not when the address brought one that may be good. */
    const asksInvite = () => how === 'register' && session.signUp === 'invite' && !['asked', 'good'].includes(session.invite.state);

    /** @param {KeyboardEvent} e */
    function arrows(e) {
        if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight')
            return;
        choose(how === 'login' ? 'register' : 'login');
        tabs[how].focus();
    }

    function toggleEye() {
        const shown = password.type === 'text';
        password.type = shown ? 'password' : 'text';
        label(eye, shown ? 'Show password' : 'Hide password');
        draw(/** @type {SVGSVGElement} */ (eye.firstElementChild), shown ? 'eye' : 'eyeOff');
    }

    /** @param {SubmitEvent} e */
    async function send(e) {
        e.preventDefault();
        const wrong = missing();
        if (wrong) {
            [session.signInNote] = wrong;
            session.changed();
            wrong[1].focus();
            return;
        }
        await session.signIn(how, name.value, password.value, asksInvite() ? inviteIn(invite.value) : '');
        if (session.page === 'home') {
            password.value = invite.value = ''; // not kept for longer than they are needed
            how = 'login'; // who comes back has an account
        } else {
            (['bad_name', 'name_taken'].includes(session.signInCode) ? name : password).focus();
        }
    }

    /** @returns {[string, HTMLInputElement]|null} what is not filled in yet, in words, and where */
    function missing() {
        if (asksInvite() && !inviteIn(invite.value))
            return [invite.value ? 'This is not an invitation link.' : 'Please paste your invitation link.', invite];
        if (!name.value)
            return ['Please enter your name.', name];
        return password.value ? null : ['Please enter your password.', password];
    }

    function update() {
        followInvite();
        if (session.signUp === 'closed')
            how = 'login';
        const w = words[how];
        show(tabList, session.signUp !== 'closed');
        show(inviteField, asksInvite());
        setText(footnote, session.signUp === 'closed' ? 'New accounts are made by whoever runs this server. Ask them for one.' :
            'Video calls between two people, on a server of your own.');
        for (const which of /** @type {How[]} */ (['login', 'register'])) {
            attr(tabs[which], 'aria-selected', String(which === how));
            attr(tabs[which], 'tabindex', which === how ? 0 : -1);
        }
        attr(panel, 'aria-labelledby', `tab-${how}`);
        setText(farewell, session.farewell);
        show(farewell, session.farewell !== '');
        setText(title, w.title);
        setText(lead, how === 'register' && inviteWords(session) || w.lead);
        attr(lead, 'data-invite', session.invite.state);
        show(nameHint, how === 'register');
        setText(hint, w.hint);
        show(hint, w.hint !== '');
        attr(password, 'autocomplete', w.autocomplete);
        setText(problem, session.signInNote);
        show(problem, session.signInNote !== '');
        setText(submit, session.signingIn ? 'One moment…' : w.submit);
        submit.disabled = session.signingIn;
        show(unsafe, !devicesAllowed());
    }

    return {node, update, focus: () => name.focus()};
}

/**
 * What is known of the invitation in the address.
 * @param {Session} session
 */
function inviteWords({invite}) {
    switch (invite.state) {
    case 'good':
        return `${invite.by ? `${invite.by} has invited you` : 'You are invited'}.${invite.expires ? ` The invitation is good until ${moment(new Date(invite.expires), new Date())}.` : ''}`;
    case 'bad':
        return 'This invitation is not good any more. Ask for a new link.';
    case 'asked': case 'none':
        return '';
    }
}

/**
 * The mark and the name.
 * @param {'div'|'h1'} tag
 */
export function brand(tag) {
    return h(tag, {class: 'brand'}, h('img', {src: '/icon.svg', alt: '', width: 32, height: 32}), h('span', {}, 'Visavis'));
}
