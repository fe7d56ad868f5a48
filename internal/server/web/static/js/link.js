/**
 * The page's WebSocket: connects, says who it is, answers to requests by their ids, and comes back by itself after a cut
 * with full-jitter backoff. session.js owns one and hears of it through on…; it knows nothing of people or calls.
 * The device id lives from start to stop, so that after a cut the server takes this page for the same device.
 */
import {Malformed, code, isPush, method, newID, parse, problem, replyData, subprotocol} from './protocol.js';

/** @typedef {import('./protocol.js').Envelope} Envelope */
/** @typedef {import('./protocol.js').Connected} Connected */

const firstDelayMs = 250;
const longestDelayMs = 10_000;
const requestTimeoutMs = 10_000;
const openTimeoutMs = 10_000;
/** A browser answers the server's pings unseen, so the page asks something itself when it has heard nothing for so long. */
const quietMs = 10_000;

/** A request that did not succeed: code is one of the server's error codes, or 'offline' or 'timeout'. */
export class RequestError extends Error {
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
 * The parts of the outside that tests replace.
 * @typedef {object} World
 * @property {(url: string, protocol: string) => WebSocket} open
 * @property {(f: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random  0 to 1
 */

/** @type {World} */
const browser = {
    open: (url, protocol) => new WebSocket(url, protocol),
    setTimeout: (f, ms) => setTimeout(f, ms),
    clearTimeout: timer => clearTimeout(timer),
    random: Math.random,
};

/**
 * @typedef {object} Owner
 * @property {(connected: Connected) => void} onOnline
 * @property {(note: string) => void} onOffline     it is trying again
 * @property {(note: string) => void} onRefused     the session is over; it will not try again
 * @property {(push: Envelope) => void} onPush
 * @property {() => Promise<boolean>} stillSignedIn asked after a failed attempt, because a browser hides the HTTP status
 */

export class Link {
    #url;
    #device;
    #client;
    /** @type {Owner} */ #owner;
    #world;
    #deviceId = '';
    /** @type {WebSocket|null} */ #socket = null;
    #online = false;
    #stopped = true;
    #attempt = 0;
    /** @type {any} */ #retry = null;
    /** @type {any} */ #quiet = null;
    #lastId = 0;
    /** @type {Map<string, {resolve: (e: Envelope) => void, reject: (err: Error) => void, timer: any}>} */ #waiting = new Map();

    /**
     * @param {{url: string, device: string, client: string}} self
     * @param {Owner} owner
     * @param {World} [world]
     */
    constructor({url, device, client}, owner, world = browser) {
        this.#url = url;
        this.#device = device;
        this.#client = client;
        this.#owner = owner;
        this.#world = world;
    }

    get online() {
        return this.#online;
    }

    /** Begins as a new device. */
    start() {
        this.#deviceId = newID();
        this.#attempt = 0;
        this.#stopped = false;
        this.#connect();
    }

    /** Ends for good; nothing is called afterwards. */
    stop() {
        this.#stopped = true;
        this.#world.clearTimeout(this.#retry);
        this.#drop(1000);
    }

    /** Tries now rather than at the end of the present wait: the network is back, or somebody looks at the page. */
    hurry() {
        if (this.#stopped || this.#socket)
            return;
        this.#attempt = 0;
        this.#world.clearTimeout(this.#retry);
        this.#connect();
    }

    /** Finds out at once whether the socket still lives. */
    check() {
        if (this.#online)
            this.#probe();
    }

    /**
     * Sends a request and gives its reply, which has code 0 and data as the protocol says.
     * @param {string} name one of protocol.method
     * @param {{toId?: string, callId?: string, type?: number, data?: object}} [body]
     * @returns {Promise<Envelope>}
     */
    request(name, body = {}) {
        if (!this.#online)
            return Promise.reject(new RequestError('offline', 'The server cannot be reached right now.'));
        return this.#ask(name, body);
    }

    /**
     * Sends without waiting, for a page that is about to be gone.
     * @param {string} name
     * @param {{callId?: string, data?: object}} body
     */
    lastWord(name, body) {
        if (this.#online)
            this.#socket?.send(JSON.stringify({method: name, type: 0, code: 0, ...body}));
    }

    #connect() {
        const socket = this.#world.open(this.#url, subprotocol);
        this.#socket = socket;
        const opening = this.#world.setTimeout(() => socket.close(), openTimeoutMs);
        socket.onopen = () => {
            if (socket === this.#socket)
                this.#introduce(socket, opening);
        };
        socket.onmessage = m => {
            if (socket === this.#socket)
                this.#got(m.data);
        };
        socket.onclose = ({code: status}) => {
            this.#world.clearTimeout(opening);
            if (socket === this.#socket)
                this.#lost(status);
        };
    }

    /**
     * @param {WebSocket} socket
     * @param {any} opening
     */
    async #introduce(socket, opening) {
        try {
            const hello = {deviceId: this.#deviceId, device: this.#device, client: this.#client};
            const reply = await this.#ask(method.userConnect, {data: hello});
            if (socket !== this.#socket)
                return;
            this.#online = true;
            this.#attempt = 0;
            this.#listen();
            this.#owner.onOnline(/** @type {Connected} */ (reply.data));
        } catch (err) {
            if (socket !== this.#socket)
                return;
            if (err instanceof RequestError && err.code === 'unauthorized')
                this.#refuse(err.message);
            else
                this.#lost(0);
        } finally {
            this.#world.clearTimeout(opening);
        }
    }

    /**
     * @param {string} name
     * @param {{toId?: string, callId?: string, type?: number, data?: object}} body
     * @returns {Promise<Envelope>}
     */
    #ask(name, {type = 0, ...body}) {
        return new Promise((resolve, reject) => {
            const requestId = String(++this.#lastId);
            const timer = this.#world.setTimeout(() => {
                this.#waiting.delete(requestId);
                reject(new RequestError('timeout', 'The server did not answer.'));
            }, requestTimeoutMs);
            this.#waiting.set(requestId, {resolve, reject, timer});
            this.#socket?.send(JSON.stringify({method: name, type, code: 0, requestId, ...body}));
        });
    }

    /** @param {unknown} message */
    #got(message) {
        let e;
        try {
            e = parse(message);
            if (this.#online)
                this.#listen();
            if (isPush(e))
                this.#owner.onPush(e);
            else
                this.#gotReply(e);
        } catch (err) {
            if (!(err instanceof Malformed))
                throw err;
            console.warn('message from the server dropped:', err.message);
        }
    }

    /** @param {Envelope} e */
    #gotReply(e) {
        const asked = this.#waiting.get(e.requestId ?? '');
        if (!asked)
            return;
        this.#waiting.delete(/** @type {string} */ (e.requestId));
        this.#world.clearTimeout(asked.timer);
        if (e.code !== code.ok) {
            asked.reject(new RequestError(problem(e), e.message || 'The server refused.'));
            return;
        }
        try {
            asked.resolve({...e, data: replyData(e)});
        } catch (err) {
            asked.reject(new RequestError('internal', 'The server’s answer was not understood.'));
            throw err;
        }
    }

    /** Waits for silence, anew with every message. */
    #listen() {
        this.#world.clearTimeout(this.#quiet);
        this.#quiet = this.#world.setTimeout(() => this.#probe(), quietMs);
    }

    /** Asks for something small; who does not answer within the time of a request is gone. */
    async #probe() {
        const socket = this.#socket;
        try {
            await this.#ask(method.history, {data: {limit: 1}});
        } catch (err) {
            if (socket === this.#socket && err instanceof RequestError && err.code === 'timeout')
                this.#lost(0);
        }
    }

    /**
     * Closes the present socket and tells everybody who waits for a reply.
     * @param {number} status
     */
    #drop(status) {
        const socket = this.#socket;
        this.#socket = null;
        this.#online = false;
        this.#world.clearTimeout(this.#quiet);
        if (socket && socket.readyState !== 3)
            socket.close(status || 4000);
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const {reject, timer} of waiting) {
            this.#world.clearTimeout(timer);
            reject(new RequestError('offline', 'The connection to the server was lost.'));
        }
    }

    /** @param {number} status close code of the socket; 0: this page gave it up */
    async #lost(status) {
        const opened = this.#online;
        this.#drop(0);
        if (this.#stopped)
            return;
        this.#owner.onOffline(status === 1001 || status === 1012 ? 'The server restarts.' : 'The server cannot be reached.');
        // Full jitter: anywhere between nothing and the whole step, so that a server that restarts is not stormed.
        const step = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempt++);
        this.#retry = this.#world.setTimeout(() => this.#connect(), this.#world.random() * step);
        if (opened || this.#attempt === 1)
            return;
        const retry = this.#retry;
        if (!await this.#owner.stillSignedIn() && retry === this.#retry)
            this.#refuse('Your session has ended. Please sign in again.');
    }

    /** @param {string} note */
    #refuse(note) {
        this.#stopped = true;
        this.#world.clearTimeout(this.#retry);
        this.#drop(1000);
        this.#owner.onRefused(note);
    }
}
