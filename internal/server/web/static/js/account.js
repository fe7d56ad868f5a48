/**
 * The person's own account as this page knows it: who is blocked, do-not-disturb, the sessions, the invitations, and what was
 * last asked for with how it went. session.js owns one. One step runs at a time; its outcome stays until the next.
 */
/** @typedef {import('./protocol.js').User} User */
/** @typedef {import('./protocol.js').SessionInfo} SessionInfo */
/** @typedef {import('./protocol.js').Invitation} Invitation */

/** What a step is about; each has its place on the page for what came of it. */
/** @typedef {''|'load'|'dnd'|'password'|'sessions'|'block'|'invite'|'delete'} Step */

/**
 * What of api.js an account needs.
 * @typedef {Pick<typeof import('./api.js'), 'me'|'blocks'|'block'|'unblock'|'setDND'|'changePassword'|'sessions'|'endSession'|'endSessions'|
 *   'invites'|'makeInvite'|'revokeInvite'|'deleteAccount'>} Api
 */

/**
 * @typedef {object} World
 * @property {Api} api
 * @property {() => void} changed
 * @property {(note: string) => void} gone  the session here has ended by the person's own wish; note is for the sign-in page
 */

/**
 * @param {import('./api.js').Me} me
 * @returns {{on: boolean, until: Date|null}}
 */
const dndOf = ({dnd}) => ({on: dnd.on, until: dnd.until ? new Date(dnd.until) : null});

export class Account {
    /** Nobody rings this person while it is on; until is a time, or null: until it is switched off. @type {{on: boolean, until: Date|null}} */
    dnd = {on: false, until: null};
    /** Whether this person may make invitations. */
    mayInvite = false;
    /** @type {Map<string, User>} people who cannot reach this one, by id */ blocked = new Map();
    /** Newest use first; null: not loaded yet. @type {SessionInfo[]|null} */ sessions = null;
    /** Own invitations; null: not loaded. @type {Invitation[]|null} */ invitations = null;
    /** The link of the invitation just made. It is shown once: the server keeps no copy of it. */
    link = '';
    /** Whose link that is. */
    #linkId = '';

    /** The step that runs. @type {Step} */ busy = '';
    /** How the last one went; text is for people. @type {{step: Step, text: string, failed: boolean}} */ said = {step: '', text: '', failed: false};

    #world;
    /** Counts people who signed in here, so that an answer meant for the last one is known. */
    #stay = 0;

    /** @param {World} world */
    constructor(world) {
        this.#world = world;
    }

    /** Somebody else may sign in next: nothing of this person stays. */
    clear() {
        this.#stay++;
        this.dnd = {on: false, until: null};
        this.mayInvite = false;
        this.blocked = new Map();
        this.sessions = this.invitations = null;
        this.link = this.busy = '';
        this.forgetOutcome();
    }

    /** The page is opened anew: old outcomes would confuse. */
    forgetOutcome() {
        this.said = {step: '', text: '', failed: false};
    }

    /** @param {string} id of a user */
    blocks(id) {
        return this.blocked.has(id);
    }

    /** The link is back: another device may have changed things meanwhile. */
    async online() {
        const {api} = this.#world;
        await Promise.all([
            this.#quietly(api.me, me => {
                this.dnd = dndOf(me);
                this.mayInvite = me.mayInvite;
            }),
            this.#quietly(api.blocks, users => {
                this.blocked = new Map(users.map(u => [u.id, u]));
            }),
        ]);
    }

    /**
     * The server's word on oneself: another device has switched it, or its time is up.
     * @param {User} self
     */
    gotSelf(self) {
        const on = self.dnd === true;
        if (on !== this.dnd.on)
            this.dnd = {on, until: null};
        this.#quietly(this.#world.api.me, me => {
            this.dnd = dndOf(me); // with its end
        });
    }

    /** What the account's page shows. */
    async load() {
        const {api} = this.#world;
        await Promise.all([
            this.online(),
            this.#quietly(api.sessions, list => {
                this.sessions = [...list].sort((a, b) => Number(b.current) - Number(a.current) || Date.parse(b.used) - Date.parse(a.used));
            }),
            this.#quietly(api.invites, list => {
                this.invitations = list;
                if (!list.some(i => i.id === this.#linkId && i.usesLeft > 0))
                    this.link = ''; // it has done its work
            }),
        ]);
    }

    /**
     * @param {boolean} on
     * @param {Date|null} [until] null: until it is switched off
     */
    setDND(on, until = null) {
        return this.#step('dnd', () => this.#world.api.setDND(on, until), () => {
            this.dnd = {on, until};
            return '';
        });
    }

    /**
     * @param {string} old
     * @param {string} fresh
     * @returns {Promise<boolean>} whether it is changed
     */
    changePassword(old, fresh) {
        return this.#step('password', () => this.#world.api.changePassword(old, fresh), () => {
            this.load();
            return 'Your password is changed. All other devices are signed out.';
        });
    }

    /** @param {string} id of a session that is not this one */
    endSession(id) {
        return this.#step('sessions', () => this.#world.api.endSession(id), () => {
            this.sessions = this.sessions?.filter(s => s.id !== id) ?? null;
            return '';
        });
    }

    /** All sessions but this one. */
    endOthers() {
        return this.#step('sessions', () => this.#world.api.endSessions(false), () => {
            this.sessions = this.sessions?.filter(s => s.current) ?? null;
            return 'All other devices are signed out.';
        });
    }

    /** All sessions, this one too. */
    async signOutEverywhere() {
        const done = await this.#step('sessions', () => this.#world.api.endSessions(true), () => '');
        if (done) // the link may have been refused already, which has forgotten this person
            this.#world.gone('You are signed out on all your devices.');
    }

    /** @param {User} user */
    block(user) {
        return this.#step('block', () => this.#world.api.block(user.id), () => {
            this.blocked.set(user.id, user);
            return '';
        });
    }

    /** @param {string} id */
    unblock(id) {
        return this.#step('block', () => this.#world.api.unblock(id), () => {
            this.blocked.delete(id);
            return '';
        });
    }

    /** Makes a link for one person; it is in this.link. */
    invite() {
        return this.#step('invite', () => this.#world.api.makeInvite(), made => {
            this.link = made.url;
            this.#linkId = made.id;
            this.load();
            return '';
        });
    }

    /** @param {string} id */
    revoke(id) {
        return this.#step('invite', () => this.#world.api.revokeInvite(id), () => {
            this.invitations = this.invitations?.filter(i => i.id !== id) ?? null;
            this.link = '';
            return 'The link does not work any more.';
        });
    }

    /**
     * @param {string} password
     * @param {boolean} lines take what this person wrote away from others, too
     */
    async remove(password, lines) {
        const done = await this.#step('delete', () => this.#world.api.deleteAccount(password, lines), () => '');
        if (done)
            this.#world.gone('Your account and everything in it are deleted.');
        return done;
    }

    /**
     * @template T
     * @param {Step} step
     * @param {() => Promise<T>} ask
     * @param {(got: T) => string} done gives the words for what was done; empty: it can be seen anyway
     * @returns {Promise<boolean>} whether it went well; a second step while one runs is not begun
     */
    async #step(step, ask, done) {
        if (this.busy)
            return false;
        const stay = this.#stay;
        this.busy = step;
        this.forgetOutcome();
        this.#world.changed();
        let failed = false;
        let text = '';
        try {
            const got = await ask();
            if (stay === this.#stay)
                text = done(got);
        } catch (err) {
            failed = true;
            text = err instanceof Error ? err.message : 'That did not work.';
        }
        if (stay === this.#stay) {
            this.busy = '';
            this.said = {step, text, failed};
        }
        this.#world.changed();
        return !failed;
    }

    /**
     * Reads something that the page can do without for now.
     * @template T
     * @param {() => Promise<T|null>} ask
     * @param {(got: T) => void} got
     */
    async #quietly(ask, got) {
        const stay = this.#stay;
        const answer = await ask().catch(() => null); // a server that does not know the question, or is away
        if (answer === null || stay !== this.#stay)
            return;
        got(answer);
        this.#world.changed();
    }
}
