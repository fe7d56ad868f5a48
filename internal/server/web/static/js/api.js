/**
 * The account API over fetch: signing in and out, and the record of calls. The session is a cookie that this page cannot
 * read; nothing here keeps state.
 */
import {Malformed, callRecord, person} from './protocol.js';

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

/**
 * What the server is; signUp says whether anybody may register.
 * @returns {Promise<{name: string, version: string, protocol: string, signUp: boolean}>}
 */
export const info = () => ask('GET', '/api/info');

/** @param {any} said */
const userOf = said => person(said.user);

/**
 * Who the session's cookie stands for; null when there is none.
 * @returns {Promise<User|null>}
 */
export async function me() {
    try {
        return userOf(await ask('GET', '/api/me'));
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
 */
export const signIn = async (how, name, password, device) => userOf(await ask('POST', `/api/${how}`, {name, password, device, cookie: true}));

export const signOut = () => ask('POST', '/api/logout');

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
