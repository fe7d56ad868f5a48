/**
 * The numbers of one session with the server, as docs/protocol.md has them: both ends number their messages from 1,
 * acknowledge what has come, and say again after a cut what the other has not got. link.js owns one; it knows no socket and no
 * clock. It mirrors kept.go of Go's package signal.
 */

/** @typedef {import('./protocol.js').Envelope} Envelope */

const maxKept = 256;

export class Numbers {
    /** Empty: the server does not number, or there is no session. */
    session = '';
    ackEvery = 32;
    #sent = 0;
    #got = 0;
    #told = 0;
    /** What the server has not acknowledged, oldest first. @type {{seq: number}[]} */ #kept = [];

    /** @param {string} session a new one; empty: none */
    begin(session) {
        this.session = session;
        this.#sent = this.#got = this.#told = 0;
        this.#kept = [];
    }

    /** What User/Connect asks for: to go on, or for a new session. */
    resume() {
        return this.session ? {session: this.session, got: this.#got} : {};
    }

    /** So much is not acknowledged that no more can be kept. */
    get full() {
        return this.#kept.length >= maxKept;
    }

    /** How many messages have come that were not acknowledged. */
    get owed() {
        return this.session ? this.#got - this.#told : 0;
    }

    /**
     * Numbers a message of this page and keeps it.
     * @param {object} message
     */
    add(message) {
        if (!this.session)
            return message;
        const numbered = {seq: ++this.#sent, ...message};
        this.#kept.push(numbered);
        return numbered;
    }

    /**
     * A message as it goes over the socket now, with an acknowledgement.
     * @param {object} message
     */
    written(message) {
        if (!this.session)
            return JSON.stringify(message);
        this.#told = this.#got;
        return JSON.stringify({...message, ack: this.#got});
    }

    /**
     * What the server has not got, to be said again.
     * @param {number} got the last number that it has
     */
    since(got) {
        if (got < this.#sent - this.#kept.length)
            throw new RangeError(`${got} is too long ago`);
        this.#acked(got);
        return this.#kept;
    }

    /**
     * Takes the numbers of a message; false: it has been here already. A RangeError means that the two ends do not agree
     * any more.
     * @param {Envelope} e
     */
    arrived({seq, ack}) {
        if (!this.session)
            return true;
        if (ack)
            this.#acked(ack);
        if (!seq)
            return true;
        if (seq <= this.#got)
            return false;
        if (seq > this.#got + 1)
            throw new RangeError(`message ${seq} follows ${this.#got}`);
        this.#got = seq;
        return true;
    }

    /** @param {number} seq */
    #acked(seq) {
        if (seq > this.#sent)
            throw new RangeError(`${seq} is acknowledged of ${this.#sent}`);
        const first = this.#sent - this.#kept.length + 1;
        if (seq >= first)
            this.#kept.splice(0, seq - first + 1);
    }
}
