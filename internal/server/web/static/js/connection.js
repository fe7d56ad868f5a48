/**
 * One media connection of a call: a Peer whose descriptions and candidates go over the wire. What else it has to say is its
 * owner's to judge, who may have several of them while it rings. calling.js makes them.
 */
import {method} from './protocol.js';
import {Peer} from './rtc.js';

/**
 * @typedef {object} Connection
 * @property {string} device  early: the other's device as the server calls it for the caller; empty for the callee
 * @property {boolean} early  made while it rings, and not the call's own yet
 * @property {boolean} up     connected
 * @property {string[]} texts came over the data channel before it was the call's own
 * @property {Peer} peer
 */

/**
 * @typedef {object} Options
 * @property {boolean} offerer
 * @property {string} device
 * @property {import('./protocol.js').ICEServer[]} iceServers
 * @property {boolean} relayOnly
 * @property {boolean} early
 * @property {boolean} fresh  the offer begins anew what the callee has kept
 */

/**
 * @typedef {object} Owner
 * @property {(name: string, data: object) => void} tell  the server, under that method
 * @property {(c: Connection) => void} onUp
 * @property {(c: Connection) => void} onDown
 * @property {(c: Connection) => void} onFailed
 * @property {(c: Connection) => void} onFirstMedia
 * @property {(c: Connection, quality: import('./rtc.js').Quality) => void} onQuality
 * @property {(c: Connection) => void} onOpen  the data channel
 * @property {(c: Connection, text: string) => void} onText
 */

/**
 * @param {Options} options
 * @param {Owner} owner
 * @returns {Connection}
 */
export function connect({offerer, device, iceServers, relayOnly, early, fresh}, owner) {
    const c = /** @type {Connection} */ ({device, early, up: false, texts: /** @type {string[]} */ ([])});
    /** @type {(name: string) => (data: object) => void} */
    const send = name => data => owner.tell(name, c.early && device ? {...data, device} : data);
    const [offer, answer, candidate] = [method.offer, method.answer, method.candidate].map(send);
    c.peer = new Peer({offerer, iceServers, relayOnly, held: early}, {
        onOffer: sdp => offer(fresh ? {sdp, fresh} : {sdp}),
        onAnswer: sdp => answer({sdp}),
        onCandidate: candidate,
        onUp: () => {
            c.up = true;
            owner.onUp(c);
        },
        onDown: () => {
            c.up = false;
            owner.onDown(c);
        },
        onFailed: () => owner.onFailed(c),
        onFirstMedia: () => owner.onFirstMedia(c),
        onQuality: quality => owner.onQuality(c, quality),
        onOpen: () => owner.onOpen(c),
        onText: text => owner.onText(c, text),
    });
    return c;
}
