/**
 * What two pages in a call say to each other beside the server, over the data channel: that a switch was pressed, that the
 * call is over. It arrives at once, and also while the server is away. The server is told too, for the record and for who has
 * no such channel. calling.js owns one.
 */
import {Malformed, besideData, method, parse} from './protocol.js';

/** @typedef {import('./protocol.js').Media} MediaState */

/**
 * @typedef {object} Owner
 * @property {() => string} id  of the call
 * @property {() => import('./rtc.js').Peer|null} peer
 * @property {(reason: string) => void} onHangup
 * @property {(offers?: number) => void} onRestart
 */

export class Beside {
    /** @type {Owner} */ #owner;
    /** How often this side has said what its switches say, and how often the other has. */
    #change = 0;
    #theirChange = 0;
    /** What came and was of no use. */
    strange = 0;
    /** What the other side's switches say. @type {MediaState} */ theirs = {microphone: true, camera: false};

    /** @param {Owner} owner */
    constructor(owner) {
        this.#owner = owner;
    }

    /** Another call begins. */
    begin() {
        this.#change = this.#theirChange = this.strange = 0;
        this.theirs = {microphone: true, camera: false};
    }

    /**
     * Says something, if there is a channel.
     * @param {string} name
     * @param {object} data
     */
    say(name, data) {
        this.#owner.peer()?.say(JSON.stringify({method: name, type: 0, code: 0, callId: this.#owner.id(), data}));
    }

    /**
     * Says what this side's switches say, and gives that as it is to be told to the server.
     * @param {MediaState} media
     */
    sayMedia(media) {
        const counted = {...media, change: ++this.#change};
        this.say(method.media, counted);
        return counted;
    }

    /**
     * What the other's switches say, unless something newer has come by another way.
     * @param {MediaState} media
     */
    gotMedia({change = 0, ...media}) {
        if (change && change <= this.#theirChange)
            return;
        this.#theirChange = Math.max(change, this.#theirChange);
        this.theirs = media;
    }

    /**
     * What the other says has passed no server: what is malformed, of another call or of no use here is dropped and counted.
     * @param {string} text
     */
    got(text) {
        try {
            const e = parse(text);
            const data = besideData(e);
            if (e.callId !== this.#owner.id())
                throw new Malformed('another call');
            if (e.method === method.media)
                this.gotMedia(data);
            else if (e.method === method.restart)
                this.#owner.onRestart(data.offers);
            else
                this.#owner.onHangup(data.reason || 'hangup');
        } catch (err) {
            if (!(err instanceof Malformed))
                throw err;
            this.strange++;
            console.debug(`data channel: ${err.message} (${this.strange})`);
        }
    }
}
