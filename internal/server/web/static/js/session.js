/**
 * The page without its elements: who is signed in, the link, the roster, chats, calls, and where the person looks. Views read its
 * fields and call its methods; every change is told once to whoever subscribed, after the present step is done.
 */
import {Account} from './account.js';
import * as api from './api.js';
import {Calling} from './calling.js';
import {Chats} from './chats.js';
import {Link} from './link.js';
import {Malformed, code, pushData} from './protocol.js';
import {Ringer} from './ring.js';
import {hashOf, inviteIn, parseRoute} from './route.js';
import {loadSettings, saveSettings} from './settings.js';

/** @typedef {import('./protocol.js').User} User */
/** @typedef {import('./protocol.js').CallRecord} CallRecord */
/** @typedef {import('./protocol.js').Envelope} Envelope */
/** @typedef {import('./route.js').Route} Route */

const nobody = Object.freeze({id: '', name: '', kind: 'person', online: false});
/** Whether list and page have room beside each other. */
export const wide = matchMedia('(min-width: 48rem)');

export class Session {
    /** @type {'loading'|'unreachable'|'sign-in'|'home'} */ page = 'loading';
    /** Who may make an account here. @type {import('./api.js').SignUpMode} */ signUp = 'open';
    /** The invitation that the address brought; state is what the server says of it, by and expires are for people. */
    invite = noInvite();
    /** A sign-in or sign-up runs. */
    signingIn = false;
    /** Why the last one failed, or why the session ended; for people. */
    signInNote = '';
    /** Its code, if it was the server's. */
    signInCode = '';
    /** What has become of the account or the session by the person's own wish; for people. */
    farewell = '';

    /** @type {User} */ self = nobody;
    online = false;
    /** Why not; for people. */
    linkNote = '';
    /** @type {Map<string, User>} everybody else, by id */ people = new Map();
    /** @type {Route} */ route = parseRoute(location.hash);
    settings = loadSettings();

    /** The chat beside the call is open. */
    callChat = false;

    /** The record of calls. @type {{list: CallRecord[], more: boolean, loading: boolean, loaded: boolean, stale: boolean, error: string}} */
    calls = noCalls();
    /** The call that a details page is asked for. @type {{id: string, record: CallRecord|null, error: string}} */
    details = {id: '', record: null, error: ''};

    #link;
    #ringer = new Ringer();
    /** @type {(() => void)[]} */ #views = [];
    #telling = false;

    constructor() {
        this.#link = new Link(
            {url: `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}/ws`, device: browserName(), client: 'visavis-web/1'},
            {
                onOnline: connected => this.#gotOnline(connected),
                onOffline: note => this.#gotOffline(note),
                onRefused: note => this.#signedOut(note),
                onPush: e => this.#gotPush(e),
                stillSignedIn: () => api.me().then(Boolean, () => true),
            },
        );
        const changed = () => this.changed();
        this.chats = new Chats({link: this.#link, self: () => this.self, changed, seen: id => !document.hidden && this.chatInView() === id});
        this.calling = new Calling({
            link: this.#link, ringer: this.#ringer, settings: this.settings, changed,
            person: id => this.people.get(id), record: api.call, recorded: () => this.loadCalls(false),
        });
        this.account = new Account({api, changed, gone: note => this.#signedOut('', note)});
        addEventListener('hashchange', () => this.#moved());
        addEventListener('online', () => {
            this.#link.hurry();
            this.calling.networkChanged();
        });
        // Safari and Firefox lack it.
        /** @type {any} */ (navigator).connection?.addEventListener('change', () => this.calling.networkChanged());
        addEventListener('offline', () => this.#link.check());
        addEventListener('pagehide', () => this.calling.leave());
        document.addEventListener('visibilitychange', () => {
            this.#looked();
            this.changed(); // what came meanwhile is read now
        });
        wide.addEventListener('change', () => this.#moved());
    }

    /** @param {() => void} view called after every change */
    subscribe(view) {
        this.#views.push(view);
    }

    /** Something changed: the views draw once, when the present step is done. */
    changed() {
        if (this.#telling)
            return;
        this.#telling = true;
        queueMicrotask(() => {
            this.#telling = false;
            this.callChat &&= hasStage(this.calling.state.phase);
            this.#read();
            for (const view of this.#views)
                view();
        });
    }

    /** Finds out whether the browser still has a session. */
    async start() {
        this.page = 'loading';
        this.changed();
        try {
            const [info, me] = await Promise.all([api.info(), api.me()]);
            this.signUp = info.signUpMode ?? (info.signUp ? 'open' : 'closed');
            if (me) {
                this.#signedIn(me.user);
            } else {
                this.page = 'sign-in';
                this.#gotInvite();
            }
        } catch (err) {
            this.page = 'unreachable';
            this.linkNote = err instanceof Error ? err.message : '';
        }
        this.changed();
    }

    /**
     * @param {'login'|'register'} how
     * @param {string} name
     * @param {string} password
     * @param {string} [invite] its secret; empty: that of the address, if any
     */
    async signIn(how, name, password, invite) {
        if (this.signingIn)
            return;
        this.signingIn = true;
        this.signInNote = this.signInCode = this.farewell = '';
        this.changed();
        try {
            const secret = how === 'register' ? invite || (this.invite.state === 'bad' ? '' : this.invite.secret) : '';
            this.#signedIn(await api.signIn(how, name, password, browserName(), secret));
        } catch (err) {
            this.signInNote = err instanceof Error ? err.message : 'That did not work.';
            this.signInCode = err instanceof api.ApiError ? err.code : '';
        }
        this.signingIn = false;
        this.changed();
    }

    async signOut() {
        if (this.calling.state.phase !== 'incoming') // what only rings here rings on elsewhere
            this.calling.hangup();
        const over = (/** @type {unknown} */ err) => err instanceof api.ApiError && err.code === 'unauthorized';
        this.#signedOut(await api.signOut().then(() => '', err => over(err) ? '' :
            'The server did not take the sign-out, so this browser is still signed in. Reload the page and sign out again.'));
    }

    /** Everybody else, who is online first, then by name; Echo after people, the blocked last. */
    roster() {
        const rank = (/** @type {User} */ u) => (u.online ? 0 : 2) + (u.kind === 'person' ? 0 : 1) + (this.account.blocks(u.id) ? 4 : 0);
        return [...this.people.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    }

    /** The id of the chat that is to be seen, empty for the lobby; null when there is none. */
    chatInView() {
        const {phase, peerId} = this.calling.state;
        if (hasStage(phase))
            return this.callChat ? peerId : null;
        if (phase === 'ended')
            return null;
        switch (this.route.page) {
        case 'people':
            return wide.matches ? '' : null;
        case 'lobby':
            return '';
        case 'chat':
            return this.route.id;
        case 'calls': case 'call': case 'account':
            return null;
        }
    }

    /** @param {boolean} open */
    showCallChat(open) {
        this.callChat = open;
        this.#looked();
        this.changed();
    }

    /** How many calls were missed since the list was last looked at. */
    missed() {
        const seen = Date.parse(this.#seenCalls()) || 0;
        return this.calls.list.filter(c => c.missed && Date.parse(c.started) > seen).length;
    }

    /** @param {Route} route */
    go(route) {
        const hash = hashOf(route);
        if (location.hash === hash)
            this.#moved();
        else
            location.hash = hash;
    }

    /** @param {Partial<import('./settings.js').Settings>} change */
    setSettings(change) {
        Object.assign(this.settings, change);
        saveSettings(this.settings);
        this.changed();
    }

    /** @param {boolean} more older ones than are here */
    async loadCalls(more) {
        const {calls} = this;
        if (this.page !== 'home')
            return;
        if (calls.loading) {
            calls.stale = true; // what is on its way may not have the news yet
            return;
        }
        calls.loading = true;
        calls.stale = false;
        this.changed();
        try {
            const got = await api.calls(more ? calls.list.at(-1)?.id ?? '' : '');
            const kept = more ? calls.list : [];
            calls.list = [...kept, ...got.calls];
            calls.more = got.more;
            calls.error = '';
            calls.loaded = true;
        } catch (err) {
            calls.error = err instanceof Error ? err.message : '';
        }
        calls.loading = false;
        if (calls.stale && calls === this.calls)
            this.loadCalls(false);
        if (inCalls(this.route.page) || calls.loaded && !this.#seenCalls()) // to a browser new to the person nothing of before is news
            this.#sawCalls();
        this.changed();
    }

    /** @param {User} self */
    #signedIn(self) {
        this.self = self;
        this.page = 'home';
        this.invite = noInvite();
        if (inviteIn(location.hash))
            history.replaceState(null, '', hashOf({page: 'people'})); // who is here needs none, and it is a secret
        this.signInNote = '';
        this.online = false;
        this.linkNote = '';
        this.#link.start();
        this.#moved();
    }

    /**
     * @param {string} note
     * @param {string} [farewell]
     */
    #signedOut(note, farewell = '') {
        this.#link.stop();
        this.calling.reset();
        this.page = 'sign-in';
        this.signInNote = note;
        this.farewell = farewell;
        this.self = nobody;
        this.online = false;
        this.people.clear();
        this.chats.clear();
        this.account.clear();
        this.calls = noCalls();
        this.details = {id: '', record: null, error: ''};
        this.changed();
    }

    /** @param {import('./protocol.js').Connected} connected */
    #gotOnline({self, users, callId, run, iceServers, resumed}) {
        this.self = self;
        this.online = true;
        this.linkNote = '';
        if (resumed) { // everything goes on where it was, and what was missed follows
            this.calling.resumed();
            this.#looked();
            this.changed();
            return;
        }
        this.#setRoster(users);
        this.account.online();
        this.chats.online();
        this.calling.online({callId, run, iceServers});
        this.loadCalls(false);
        this.#looked();
        this.changed();
    }

    /** @param {string} note */
    #gotOffline(note) {
        this.online = false;
        this.linkNote = note;
        this.changed();
    }

    /** @param {Envelope} e */
    #gotPush(e) {
        switch (e.code) {
        case code.userList:
            this.#setRoster(pushData(e).users);
            break;
        case code.userChanges:
            for (const user of pushData(e).users ?? [])
                this.#setPerson(user);
            break;
        case code.userOnline: case code.userOffline:
            this.#setPerson(pushData(e).user);
            break;
        case code.userRemoved:
            this.people.delete(pushData(e).user.id);
            break;
        case code.userSelf:
            this.self = pushData(e).user;
            this.account.gotSelf(this.self);
            if (!this.self.dnd)
                this.loadCalls(false); // nobody told of those that came meanwhile
            break;
        case code.chat:
            this.chats.got(pushData(e));
            break;
        case code.read:
            this.chats.gotRead(pushData(e));
            break;
        case code.invite: case code.ringing: case code.accepted: case code.ended: case code.media:
        case code.offer: case code.answer: case code.candidate: case code.restart: case code.servers:
            this.calling.push(e);
            break;
        }
        this.changed();
    }

    /** @param {User[]|null} users */
    #setRoster(users) {
        this.people.clear();
        for (const user of users ?? [])
            this.#setPerson(user);
    }

    /** @param {User} user */
    #setPerson(user) {
        if (user.id !== this.self.id)
            this.people.set(user.id, user);
    }

    /** The address or the width has changed. */
    #moved() {
        const was = this.route.page;
        this.route = parseRoute(location.hash);
        if (this.page === 'sign-in')
            this.#gotInvite();
        if (this.page === 'home') {
            if (this.route.page === 'account' && (was !== 'account' || !this.account.sessions)) {
                this.account.forgetOutcome();
                this.account.load();
            }
            if (this.route.page === 'call')
                this.#loadDetails(this.route.id);
            if (inCalls(this.route.page)) {
                if (!inCalls(was))
                    this.loadCalls(false); // a call that never rang is not told of
                this.#sawCalls();
            }
            this.#looked();
        }
        this.changed();
    }

    /** The address may bring an invitation: asks the server what it is worth, so that nobody thinks of a name in vain. */
    async #gotInvite() {
        const secret = inviteIn(location.hash);
        if (secret === this.invite.secret)
            return;
        const invite = this.invite = noInvite();
        if (!secret)
            return;
        invite.secret = secret;
        invite.state = 'asked';
        this.changed();
        try {
            Object.assign(invite, await api.checkInvite(secret), {state: 'good', secret});
        } catch (err) {
            invite.state = err instanceof api.ApiError && err.code === 'invite_invalid' ? 'bad' : 'asked'; // else registering will tell
        }
        this.changed();
    }

    /** The person looks at the page, or at another part of it. */
    #looked() {
        if (document.hidden || this.page !== 'home')
            return;
        this.#link.hurry();
        const chat = this.chatInView();
        if (chat !== null)
            this.chats.want(chat);
        if (inCalls(this.route.page) && !this.calls.loaded)
            this.loadCalls(false);
    }

    /** What is before the eyes is read. */
    #read() {
        const chat = document.hidden || this.page !== 'home' ? null : this.chatInView();
        if (chat !== null)
            this.chats.read(chat);
    }

    /** @param {string} id */
    async #loadDetails(id) {
        const known = this.calls.list.find(c => c.id === id) ?? null;
        const details = this.details = {id, record: known, error: ''};
        try {
            details.record = await api.call(id);
        } catch (err) {
            details.error = err instanceof Malformed || !(err instanceof Error) ? 'The record was not understood.' : err.message;
        }
        this.changed();
    }

    #seenCalls() {
        try {
            return localStorage.getItem(`visavis.calls.${this.self.id}`) ?? '';
        } catch {
            return '';
        }
    }

    /** Leaves the page of a call that has ended. */
    dismiss() {
        this.calling.dismiss();
        this.#looked();
    }

    /** Leaves it for the chat with whom the call was. */
    messageAfterCall() {
        const {peerId} = this.calling.state;
        this.dismiss();
        this.go({page: 'chat', id: peerId});
    }

    /** @param {boolean} video */
    callAgain(video) {
        this.calling.dial(this.calling.state.peerId, video);
    }

    #sawCalls() {
        const newest = this.calls.list[0]?.started ?? (this.#seenCalls() || new Date(0).toISOString());
        try {
            localStorage.setItem(`visavis.calls.${this.self.id}`, newest);
        } catch {
            // No storage: the badge stays.
        }
    }
}

/**
 * Whether the call's own page is shown.
 * @param {import('./machine.js').Phase} phase
 */
export const hasStage = phase => phase !== 'idle' && phase !== 'incoming' && phase !== 'ended';

/** @param {Route['page']} page */
const inCalls = page => page === 'calls' || page === 'call';

/** @returns {{secret: string, state: 'none'|'asked'|'good'|'bad', by?: string, expires?: string}} */
const noInvite = () => ({secret: '', state: 'none'});

const noCalls = () => ({list: [], more: false, loading: false, loaded: false, stale: false, error: ''});

/** A name of this browser for people who have several devices. */
function browserName() {
    const agent = navigator.userAgent;
    const names = /** @type {const} */ ([['Firefox/', 'Firefox'], ['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']]);
    const name = names.find(([mark]) => agent.includes(mark))?.[1] ?? 'Browser';
    const systems = /** @type {const} */ ([['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'Mac'], ['Linux', 'Linux']]);
    const system = systems.find(([mark]) => agent.includes(mark))?.[1];
    return system ? `${name} on ${system}` : name;
}
