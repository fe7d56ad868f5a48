/**
 * The account API over fetch: signing in and out, the account itself, and the record of calls. The session is a cookie that this page cannot
 * read; nothing here keeps state.
 */
import {Malformed, callRecord, invitationList, person, sessionList, userList} from './protocol.js';

/** @typedef {import('./protocol.js').User} User */
/** @typedef {import('./protocol.js').CallRecord} CallRecord */

/** A failure of the API: code is one of the server's, or 'unreachable' when no server answered. */
export class ApiError extends Error {
    /**
     * @param {string} code
     * @param {string} message for people
     */
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function ask(method, path, body) {
    let resp;
    try {
        resp = await fetch(path, {
            method,
            credentials: 'same-origin',
            headers: body ? {'Content-Type': 'application/json'} : {},
            body: body ? JSON.stringify(body) : undefined,
            cache: 'no-store',
        });
    } catch {
        throw new ApiError('unreachable', 'The server cannot be reached. Is it running, and are you online?');
    }
    const isJSON = resp.headers.get('Content-Type')?.startsWith('application/json');
    const said = isJSON ? await resp.json().catch(() => ({})) : {};
    if (!resp.ok)
        throw new ApiError(said.error ?? (resp.status >= 500 ? 'internal' : 'bad_request'), said.message ?? `The server answered ${resp.status}.`);
    return said;
}

/** Who may make an account: anybody, who was invited, or nobody. */
/** @typedef {'open'|'invite'|'closed'} SignUpMode */

/**
 * What the server is; signUp says whether anybody may register, signUpMode says it more closely where the server knows it.
 * @returns {Promise<{name: string, version: string, protocol: string, signUp: boolean, signUpMode?: SignUpMode}>}
 */
export const info = () => ask('GET', '/api/info');

/** @param {any} said */
const userOf = said => person(said.user);

/** Oneself, and what only oneself may know. @typedef {{user: User, dnd: {on: boolean, until?: string}, mayInvite: boolean}} Me */

/**
 * Who the session's cookie stands for; null when there is none.
 * @returns {Promise<Me|null>}
 */
export async function me() {
    try {
        const said = await ask('GET', '/api/me');
        return {user: userOf(said), dnd: {on: said.dnd?.on === true, until: said.dnd?.until}, mayInvite: said.mayInvite === true};
    } catch (err) {
        if (err instanceof ApiError && err.code === 'unauthorized')
            return null;
        throw err;
    }
}

/**
 * @param {'register'|'login'} how
 * @param {string} name
 * @param {string} password
 * @param {string} device for people
 * @param {string} [invite] the secret of an invitation, to register with
 */
export const signIn = async (how, name, password, device, invite) =>
    userOf(await ask('POST', `/api/${how}`, {name, password, device, cookie: true, invite: invite || undefined}));

export const signOut = () => ask('POST', '/api/logout');

/**
 * Whether an invitation is good, who gave it, and until when it is.
 * @param {string} invite
 * @returns {Promise<{by?: string, expires?: string}>}
 */
export const checkInvite = invite => ask('POST', '/api/invite/check', {invite});

/**
 * @param {string} old
 * @param {string} fresh
 */
export const changePassword = (old, fresh) => ask('POST', '/api/password', {old, new: fresh});

/** Where this person is signed in. */
export const sessions = async () => sessionList(await ask('GET', '/api/sessions')).sessions ?? [];

/** @param {string} id */
export const endSession = id => ask('DELETE', `/api/sessions/${encodeURIComponent(id)}`);

/** @param {boolean} thisToo */
export const endSessions = thisToo => ask('DELETE', `/api/sessions${thisToo ? '?all=1' : ''}`);

/** Whom this person has blocked. */
export const blocks = async () => (userList(await ask('GET', '/api/blocks')).users ?? []);

/** @param {string} id */
export const block = id => ask('PUT', `/api/blocks/${encodeURIComponent(id)}`);

/** @param {string} id */
export const unblock = id => ask('DELETE', `/api/blocks/${encodeURIComponent(id)}`);

/**
 * @param {boolean} on
 * @param {Date|null} until null: until it is switched off
 */
export const setDND = (on, until) => ask('PUT', '/api/me/dnd', {on, until: on && until ? until.toISOString() : undefined});

/** Own invitations. */
export const invites = async () => invitationList(await ask('GET', '/api/invites')).invites ?? [];

/**
 * @returns {Promise<{id: string, invite: string, url: string, expires?: string, uses: number}>}
 */
export async function makeInvite() {
    const made = await ask('POST', '/api/invites', {});
    if (typeof made.url !== 'string')
        throw new Malformed('invite');
    return made;
}

/** @param {string} id */
export const revokeInvite = id => ask('DELETE', `/api/invites/${encodeURIComponent(id)}`);

/**
 * @param {string} password
 * @param {boolean} lines take what this person wrote away from others, too
 */
export const deleteAccount = (password, lines) => ask('DELETE', '/api/me', {password, lines});

/**
 * A page of the record, newest first.
 * @param {string} before a call's id; empty: from the newest
 * @returns {Promise<{calls: CallRecord[], more: boolean}>}
 */
export async function calls(before) {
    const said = await ask('GET', `/api/calls?limit=50${before ? `&before=${encodeURIComponent(before)}` : ''}`);
    const list = said.calls ?? [];
    if (!Array.isArray(list))
        throw new Malformed('calls');
    return {calls: list.map(callRecord), more: Boolean(said.more)};
}

/** @param {string} id */
export const call = async id => callRecord(await ask('GET', `/api/calls/${encodeURIComponent(id)}`));
