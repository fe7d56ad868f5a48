/**
 * The data channel of one connection: what two pages (or programs) in a call say to each other without the server, by the
 * path that media takes. It carries short texts and does not know what they mean; what does not look like one is dropped and
 * counted. rtc.js owns one a connection.
 */

export const dataLabel = 'visavis';
export const dataProtocol = 'visavis.1';
/** Bytes of one text. */
export const maxSay = 4096;
/** Texts that may come at once, and how long until one more may. */
const sayBurst = 50;
const sayEveryMs = 50;
/** Bytes that wait to be sent: beyond it nothing is said. */
const maxUnsent = 64 << 10;
/** Texts of the wrong kind or beyond the rate; then the channel is closed. */
const maxRefused = 200;
/** How long a last word gets to leave before the connection is closed. */
const partingMs = 250;

const encoder = new TextEncoder();

/**
 * @typedef {object} Owner
 * @property {() => void} onOpen
 * @property {(text: string) => void} onText  what the other side said; not to be trusted
 */

export class Channel {
    /** @type {RTCDataChannel|null} */ #dc = null;
    /** @type {Owner} */ #owner;
    #spent = 0;
    #at = 0;
    #said = -Infinity;
    /** What came and was not taken. */
    refused = 0;

    /** @param {Owner} owner */
    constructor(owner) {
        this.#owner = owner;
    }

    /**
     * Makes dc the channel; another one than the first of its kind is closed.
     * @param {RTCDataChannel} dc
     */
    take(dc) {
        if (this.#dc || dc.label !== dataLabel || dc.protocol !== dataProtocol) {
            this.refused++;
            dc.close();
            return;
        }
        this.#dc = dc;
        dc.onmessage = ({data}) => this.#got(dc, data);
        if (dc.readyState === 'open')
            this.#owner.onOpen();
        else
            dc.onopen = () => this.#owner.onOpen();
    }

    /**
     * Whether it could be said: there is a channel, and the other side takes what is said.
     * @param {string} text
     */
    say(text) {
        const dc = this.#dc;
        if (dc?.readyState !== 'open' || dc.bufferedAmount > maxUnsent || encoder.encode(text).length > maxSay)
            return false;
        dc.send(text);
        this.#said = performance.now();
        return true;
    }

    /** How long to keep the connection for what has just been said; 0: there is nothing. */
    get partingMs() {
        const past = performance.now() - this.#said;
        return past < partingMs ? partingMs - past : 0;
    }

    /** Nothing is heard any more. */
    close() {
        if (this.#dc)
            this.#dc.onmessage = this.#dc.onopen = null;
    }

    /**
     * @param {RTCDataChannel} dc
     * @param {unknown} text
     */
    #got(dc, text) {
        if (typeof text === 'string' && encoder.encode(text).length <= maxSay && this.#allowed(performance.now()))
            this.#owner.onText(text);
        else if (++this.refused > maxRefused)
            dc.close();
    }

    /** @param {number} now */
    #allowed(now) {
        this.#spent = Math.max(0, this.#spent - (now - this.#at) / sayEveryMs);
        this.#at = now;
        if (this.#spent + 1 > sayBurst)
            return false;
        this.#spent++;
        return true;
    }
}
