/** The first page: sign in, or create an account. */
import {devicesAllowed} from '../capture.js';
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

    const title = h('h1', {});
    const lead = h('p', {class: 'lead'});
    const name = h('input', {
        id: 'username', name: 'username', testid: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 64, required: true,
        'aria-describedby': 'problem',
    });
    const password = h('input', {
        id: 'password', name: 'password', testid: 'password', type: 'password', maxlength: 256, required: true, 'aria-describedby': 'hint problem',
    });
    const eye = iconButton('eye', 'Show password', {class: 'in-field', onclick: toggleEye});
    const hint = h('p', {class: 'hint', id: 'hint'});
    const problem = h('p', {class: 'problem', id: 'problem', role: 'alert'});
    const submit = h('button', {class: 'primary wide', type: 'submit', testid: 'submit'});
    const form = h('form', {method: 'post', novalidate: true, onsubmit: send},
        h('label', {for: 'username'}, 'Name'), name,
        h('label', {for: 'password'}, 'Password'), h('div', {class: 'with-button'}, password, eye), hint, problem, submit);
    const panel = h('div', {id: 'account', role: 'tabpanel'}, form);
    const unsafe = h('p', {class: 'notice'}, icon('info'),
        h('span', {}, 'This page was not opened over HTTPS, so calls will be without your camera and microphone.'));

    const node = h('main', {class: 'sign-in'},
        h('div', {class: 'card'}, brand('div'), title, lead, tabList, panel, unsafe),
        h('p', {class: 'footnote'}, 'Video calls between two people, on a server of your own.'));

    /** @param {How} which */
    function choose(which) {
        how = which;
        session.signInNote = '';
        session.changed();
    }

    /** @param {KeyboardEvent} e */
    function arrows(e) {
        if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight')
            return;
        choose(how === 'login' && session.signUp ? 'register' : 'login');
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
        const missing = [name, password].find(input => !input.value);
        if (missing) {
            session.signInNote = missing === name ? 'Please enter your name.' : 'Please enter your password.';
            session.changed();
            missing.focus();
            return;
        }
        await session.signIn(how, name.value, password.value);
        if (session.page === 'home')
            password.value = ''; // it is not kept for longer than it is needed
        else
            password.focus();
    }

    function update() {
        if (!session.signUp)
            how = 'login';
        const w = words[how];
        show(tabList, session.signUp);
        for (const which of /** @type {How[]} */ (['login', 'register'])) {
            attr(tabs[which], 'aria-selected', String(which === how));
            attr(tabs[which], 'tabindex', which === how ? 0 : -1);
        }
        attr(panel, 'aria-labelledby', `tab-${how}`);
        setText(title, w.title);
        setText(lead, w.lead);
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
 * The mark and the name.
 * @param {'div'|'h1'} tag
 */
export function brand(tag) {
    return h(tag, {class: 'brand'}, h('img', {src: '/icon.svg', alt: '', width: 32, height: 32}), h('span', {}, 'Visavis'));
}
