/** Starts the page: one Session, its views, and which of them is to be seen. */
import {Session} from './session.js';
import {chatView} from './view/chat.js';
import {attr, h, setText, show} from './view/dom.js';
import {endedView} from './view/ended.js';
import {homeView} from './view/home.js';
import {incomingView} from './view/incoming.js';
import {brand, signInView} from './view/signin.js';
import {stageView} from './view/stage.js';
import {phaseWords} from './words.js';

const session = new Session();
const {calling} = session;
const root = /** @type {HTMLElement} */ (document.getElementById('app'));

const waiting = waitingView();
const signIn = signInView(session);
const chat = chatView(session);
const home = homeView(session, chat);
const stage = stageView(session, chat);
const ended = endedView(session);
const incoming = incomingView(session);
/** Says to screen readers where the call is, and carries the machine's phase in data-state. */
const callState = h('p', {class: 'unseen', role: 'status', testid: 'call-state', 'data-state': 'idle'});
root.replaceChildren(waiting.node, signIn.node, home.node, stage.node, ended.node, incoming.node, callState);

let shownPage = '';

function update() {
    const {page} = session;
    const {phase, reason} = calling.state;
    show(waiting.node, page === 'loading' || page === 'unreachable');
    show(signIn.node, page === 'sign-in');
    show(home.node, page === 'home' && (phase === 'idle' || phase === 'incoming'));
    home.node.inert = phase === 'incoming';
    waiting.update();
    if (page === 'sign-in')
        signIn.update();
    if (!home.node.hidden)
        home.update();
    stage.update();
    ended.update();
    incoming.update();
    attr(callState, 'data-state', phase);
    attr(callState, 'data-reason', phase === 'ended' ? reason : null);
    attr(callState, 'data-path', calling.quality.path || null);
    setText(callState, phaseWords(calling.state, calling.peer.name, calling.devices));
    if (page !== shownPage && page === 'sign-in')
        signIn.focus();
    shownPage = page;
}

/** Before the page knows whether there is a session, and when no server says so. */
function waitingView() {
    const words = h('p', {class: 'lead', role: 'status'});
    const again = h('button', {type: 'button', class: 'primary', onclick: () => session.start()}, 'Try again');
    const node = h('main', {class: 'sign-in'}, h('div', {class: 'card waiting'}, brand('div'), words, again));
    return {
        node,
        update() {
            setText(words, session.page === 'unreachable' ? session.linkNote : 'One moment…');
            show(again, session.page === 'unreachable');
        },
    };
}

session.subscribe(update);
session.start();
