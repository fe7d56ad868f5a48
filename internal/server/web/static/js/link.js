/**
 * The page's WebSocket: connects, says who it is, answers to requests by their ids, and comes back by itself after a cut
 * with full-jitter backoff. session.js owns one and hears of it through on…; it knows nothing of people or calls.
 * The device id lives from start to stop, so that after a cut the server takes this page for the same device. Who is back
 * within a minute goes on where it was: numbers.js remembers what both ends have said.
 */
import {Numbers} from './numbers.js';
import {Malformed, code, isPush, method, newID, parse, problem, pushData, replyData, subprotocol} from './protocol.js';

/** @typedef {import('./protocol.js').Envelope} Envelope */
/** @typedef {import('./protocol.js').Connected} Connected */

const firstDelayMs = 250;
const longestDelayMs = 10_000;
const requestTimeoutMs = 10_000;
const openTimeoutMs = 10_000;
/** A browser answers the server's pings unseen, so the page asks something itself when it has heard nothing for so long. */
const quietMs = 10_000;
/** After a cut of so long nothing is resumed, and who waits for a reply hears that there will be none. */
const resumeWithinMs = 60_000;
/** What has come is acknowledged after so long if nothing that is sent has done so. */
const ackAfterMs = 5000;
/** With this the server closes the socket of a session that has ended, or of a client that breaks the rules. */
const signedOutStatus = 1008;
const sessionEnded = 'Your session has ended. Please sign in again.';

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
    /** @type {any} */ #expiry = null;
    /** @type {any} */ #ackTimer = null;
    /** How long to stay away after the next cut, if a server that stops has said so. @type {number|null} */ #comeBackMs = null;
    #numbers = new Numbers();
    #lastId = 0;
    /** The reply to User/Connect that is awaited. @type {{requestId: string, timer: any}|null} */ #hello = null;
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
        this.#endSession();
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
        if (this.#numbers.full)
            return Promise.reject(new RequestError('too_many', 'The server does not keep up. Please wait a little.'));
        return this.#ask(name, body);
    }

    /**
     * Sends without waiting, for a page that is about to be gone.
     * @param {string} name
     * @param {{callId?: string, data?: object}} body
     */
    lastWord(name, body) {
        if (this.#online)
            this.#say({method: name, type: 0, code: 0, ...body});
    }

    #connect() {
        const socket = this.#world.open(this.#url, subprotocol);
        this.#socket = socket;
        const opening = this.#world.setTimeout(() => socket.close(), openTimeoutMs);
        socket.onopen = () => {
            this.#world.clearTimeout(opening);
            if (socket === this.#socket)
                this.#introduce(socket);
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

    /** @param {WebSocket} socket */
    #introduce(socket) {
        const requestId = String(++this.#lastId);
        const timer = this.#world.setTimeout(() => this.#lost(0), requestTimeoutMs);
        this.#hello = {requestId, timer};
        const data = {deviceId: this.#deviceId, device: this.#device, client: this.#client, resume: this.#numbers.resume(), renews: true};
        socket.send(JSON.stringify({method: method.userConnect, type: 0, code: 0, requestId, data}));
    }

    /**
     * The reply to User/Connect, which says whether the session goes on. All of it happens before the next message is read.
     * @param {Envelope} e
     */
    #greeted(e) {
        this.#forgetHello();
        if (e.code !== code.ok) {
            if (problem(e) === 'unauthorized')
                this.#refuse(e.message || 'The server refused.');
            else
                this.#lost(0);
            return;
        }
        const connected = /** @type {Connected} */ (replyData(e));
        if (connected.resumed && connected.session !== this.#numbers.session) {
            this.#endSession();
            this.#lost(0);
            return;
        }
        this.#world.clearTimeout(this.#expiry);
        if (!connected.resumed) {
            this.#endSession();
            this.#numbers.begin(connected.session ?? '');
        }
        this.#online = true;
        this.#attempt = 0;
        for (const missed of connected.resumed ? this.#numbers.since(connected.got ?? 0) : [])
            this.#socket?.send(this.#numbers.written(missed));
        this.#listen();
        this.#owner.onOnline(connected);
    }

    #forgetHello() {
        this.#world.clearTimeout(this.#hello?.timer);
        this.#hello = null;
    }

    /**
     * @param {string} name
     * @param {{toId?: string, callId?: string, type?: number, data?: object}} body
     * @returns {Promise<Envelope>}
     */
    #ask(name, {type = 0, ...body}) {
        return new Promise((resolve, reject) => {
            const requestId = String(++this.#lastId);
            const late = () => {
                const asked = this.#waiting.get(requestId);
                if (asked && !this.#online) { // the reply may come when the session is resumed
                    asked.timer = this.#world.setTimeout(late, requestTimeoutMs);
                    return;
                }
                this.#waiting.delete(requestId);
                reject(new RequestError('timeout', 'The server did not answer.'));
            };
            this.#waiting.set(requestId, {resolve, reject, timer: this.#world.setTimeout(late, requestTimeoutMs)});
            this.#say({method: name, type, code: 0, requestId, ...body});
        });
    }

    /** @param {object} message */
    #say(message) {
        this.#socket?.send(this.#numbers.written(this.#numbers.add(message)));
    }

    /** Acknowledges what has come: soon, unless something is sent anyway. */
    #acknowledge() {
        if (this.#numbers.owed >= this.#numbers.ackEvery) {
            this.#ack();
        } else if (this.#numbers.owed > 0 && this.#ackTimer === null) {
            this.#ackTimer = this.#world.setTimeout(() => this.#ack(), ackAfterMs);
        }
    }

    #ack() {
        this.#world.clearTimeout(this.#ackTimer);
        this.#ackTimer = null;
        if (this.#online && this.#numbers.owed > 0)
            this.#socket?.send(this.#numbers.written({method: method.ack, type: 0, code: 0}));
    }

    /** @param {unknown} message */
    #got(message) {
        try {
            const e = parse(message);
            if (this.#hello) {
                if (e.requestId === this.#hello.requestId)
                    this.#greeted(e);
                return;
            }
            if (!this.#online)
                return;
            this.#listen();
            if (!this.#numbers.arrived(e))
                return;
            this.#acknowledge();
            this.#take(e);
        } catch (err) {
            if (err instanceof RangeError) { // the two ends do not agree any more: begin anew
                this.#endSession();
                this.#lost(0);
            } else if (!(err instanceof Malformed)) {
                throw err;
            }
            console.warn('message from the server dropped:', err.message);
        }
    }

    /** @param {Envelope} e */
    #take(e) {
        if (!isPush(e))
            this.#gotReply(e);
        else if (e.code === code.stopping)
            this.#comeBackMs = pushData(e).afterMs;
        else if (e.code !== code.ack)
            this.#owner.onPush(e);
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
     * Closes the present socket.
     * @param {number} status
     */
    #drop(status) {
        const socket = this.#socket;
        this.#socket = null;
        this.#online = false;
        this.#world.clearTimeout(this.#quiet);
        this.#world.clearTimeout(this.#ackTimer);
        this.#ackTimer = null;
        this.#forgetHello();
        if (socket && socket.readyState !== 3)
            socket.close(status || 4000);
    }

    /** Forgets the session and tells everybody who waits for a reply. */
    #endSession() {
        this.#world.clearTimeout(this.#expiry);
        this.#numbers.begin('');
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
        if (!this.#numbers.session)
            this.#endSession();
        else if (opened)
            this.#expiry = this.#world.setTimeout(() => this.#endSession(), resumeWithinMs);
        if (status === signedOutStatus) { // perhaps on another device: then that is what to say, and not that nobody is there
            const over = !await this.#owner.stillSignedIn();
            if (this.#stopped || this.#socket)
                return; // somebody was in a hurry
            if (over) {
                this.#refuse(sessionEnded);
                return;
            }
        }
        const restarts = status === 1001 || status === 1012 || this.#comeBackMs !== null;
        this.#owner.onOffline(restarts ? 'The server restarts.' : 'The server cannot be reached.');
        // Full jitter: anywhere between nothing and the whole step, so that a server that restarts is not stormed.
        const step = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempt++);
        const delay = this.#comeBackMs ?? this.#world.random() * step;
        this.#comeBackMs = null;
        this.#retry = this.#world.setTimeout(() => this.#connect(), delay);
        if (opened || this.#attempt === 1)
            return;
        const retry = this.#retry;
        if (!await this.#owner.stillSignedIn() && retry === this.#retry)
            this.#refuse(sessionEnded);
    }

    /** @param {string} note */
    #refuse(note) {
        this.#stopped = true;
        this.#world.clearTimeout(this.#retry);
        this.#drop(1000);
        this.#endSession();
        this.#owner.onRefused(note);
    }
}
