/**
 * The media connections of the present call: the one it has, and those that are made while it rings. It brings them what the
 * other side signalled, gives them the tracks of this side's devices, and tells the call machine how they do. calling.js owns
 * one; it knows neither people nor page elements.
 */
import {connect} from './connection.js';
import {Early} from './early.js';
import {hasPeer} from './machine.js';
import {method} from './protocol.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./protocol.js').ICEServer} ICEServer */
/** @typedef {import('./rtc.js').Peer} Peer */

/** What is kept for a media connection that is not open yet: one negotiation, several times over. */
const maxHeld = 256;

/** Texts of the data channel that are kept for a connection which is not the call's own yet. */
const maxTexts = 64;

/** How often the server hears that media flows, so that it keeps the call when the other side cannot reach it. */
const reportEveryMs = 10_000;

const kinds = /** @type {const} */ (['audio', 'video']);

/**
 * @typedef {object} Owner
 * @property {() => import('./machine.js').State} state
 * @property {(kind: 'audio'|'video') => MediaStreamTrack|null} track  of this side's devices
 * @property {() => boolean} relayOnly
 * @property {(id: string, name: string, data: object) => void} tell  the server
 * @property {(event: import('./machine.js').Event) => void} apply
 * @property {() => void} onOpen  the other side can be told something beside the server
 * @property {(text: string) => void} onText  and has said something
 * @property {() => void} changed
 */

export class Media {
    /** @type {Owner} */ #owner;
    /** The call's own connection. @type {Peer|null} */ peer = null;
    /** @type {import('./rtc.js').Quality} */ quality = {path: '', rttMs: 0, lossPercent: 0};
    #early = new Early();
    /** @type {ICEServer[]} */ #iceServers = [];
    /** What came for a connection that is not open yet. @type {((peer: Peer) => void)[]} */ #held = [];
    #setupMs = 0;
    #reported = 0;
    /** When both wanted the call. */ acceptedAt = 0;

    /** @param {Owner} owner */
    constructor(owner) {
        this.#owner = owner;
    }

    /** Another call begins. */
    begin() {
        this.quality = {path: '', rttMs: 0, lossPercent: 0};
        this.#early = new Early();
        this.#iceServers = [];
        this.#held = [];
        this.#setupMs = this.acceptedAt = 0;
    }

    /** @param {ICEServer[]|null|undefined} iceServers for the call's own connection */
    agreed(iceServers) {
        this.#iceServers = iceServers ?? [];
    }

    /**
     * The servers that the call began with may be too old to seek another path with; and a server that was restarted has
     * forgotten all that went over its relay, so that the caller seeks another path at once.
     * @param {ICEServer[]} iceServers
     * @param {boolean} restarted
     */
    serversAnew(iceServers, restarted) {
        const {outgoing, phase} = this.#owner.state();
        this.#iceServers = iceServers;
        this.peer?.setServers(iceServers);
        if (restarted && outgoing && (this.quality.path === 'relay' || phase === 'reconnecting'))
            this.peer?.restart();
    }

    /**
     * Connects with one of the other's devices while it rings, if there is room.
     * @param {string} device
     * @param {ICEServer[]} iceServers
     */
    openEarly(device, iceServers) {
        const {id, outgoing} = this.#owner.state();
        if (this.#early.room(device))
            this.#early.add(this.#connect(id, outgoing, device, iceServers, true));
    }

    /**
     * The other side has accepted, and keeps the early connection of that device.
     * @param {string} device
     */
    keep(device) {
        if (!this.peer)
            this.#early.keep(device);
    }

    /** Accepted here: what stands goes on. Whether there is such a connection. */
    keepOwn() {
        this.#early.kept = this.#early.of('');
        return Boolean(this.#early.kept);
    }

    /** And is used at once, before the server has said that this page was first. */
    release() {
        const peer = this.#early.kept?.peer;
        if (!peer)
            return;
        this.#sendTracks(peer);
        peer.release();
    }

    /**
     * @param {string} id
     * @param {boolean} offerer
     */
    open(id, offerer) {
        const kept = this.#owner.state().outgoing === offerer ? this.#early.adopt() : null;
        this.#early.close();
        const c = kept ?? this.#connect(id, offerer, '', this.#iceServers, false);
        c.early = false;
        this.peer = c.peer;
        this.#sendTracks(c.peer);
        c.peer.release();
        for (const f of this.#held.splice(0))
            f(c.peer);
        this.#owner.onOpen();
        if (c.up)
            this.#owner.apply({type: 'PeerUp', id});
        for (const text of c.texts.splice(0))
            this.#heard(text);
    }

    /** Closes the call's own connection. */
    close() {
        this.peer?.close();
        this.peer = null;
    }

    closeEarly() {
        this.#early.close();
    }

    /**
     * What this side sends of a kind from now on.
     * @param {'audio'|'video'} kind
     * @param {MediaStreamTrack|null} track
     */
    setTrack(kind, track) {
        (this.peer ?? this.#early.kept?.peer)?.setTrack(kind, track);
    }

    /** @param {{sdp: string, device?: string, fresh?: boolean}} data */
    gotOffer(data) {
        const {id, outgoing} = this.#owner.state();
        if (data.fresh && this.#early.was && !outgoing) {
            this.peer?.close();
            this.#early.kept = null;
            this.open(id, false);
        }
        this.signalled(data.device, peer => peer.gotOffer(data.sdp));
    }

    /**
     * Brings what the other's device signalled to the connection that it is for.
     * @param {string|undefined} device
     * @param {(peer: Peer) => void} f
     */
    signalled(device, f) {
        const c = this.#early.of(device ?? '');
        if (c)
            f(c.peer);
        else if (!device || this.#early.kept?.device === device)
            this.#toPeer(f);
    }

    /** @param {(peer: Peer) => void} f done with the call's own connection, now or when it is open */
    #toPeer(f) {
        if (this.peer)
            f(this.peer);
        else if (this.#held.length < maxHeld)
            this.#held.push(f);
    }

    /** @param {Peer} peer */
    #sendTracks(peer) {
        for (const kind of kinds)
            peer.setTrack(kind, this.#owner.track(kind));
    }

    /**
     * @param {string} id
     * @param {boolean} offerer
     * @param {string} device
     * @param {ICEServer[]} iceServers
     * @param {boolean} early
     * @returns {Connection}
     */
    #connect(id, offerer, device, iceServers, early) {
        const owner = this.#owner;
        const current = (/** @type {Connection} */ c) => this.peer === c.peer && owner.state().id === id;
        const event = (/** @type {'PeerUp'|'PeerDown'|'PeerFailed'} */ type) => (/** @type {Connection} */ c) => {
            if (current(c))
                owner.apply({type, id});
            else if (type === 'PeerFailed')
                this.#early.drop(c);
        };
        return connect({offerer, device, iceServers, relayOnly: owner.relayOnly(), early, fresh: this.#early.fresh}, {
            tell: (name, data) => owner.tell(id, name, data),
            onUp: event('PeerUp'),
            onDown: event('PeerDown'),
            onFailed: event('PeerFailed'),
            onFirstMedia: c => {
                this.#setupMs = Math.round(performance.now() - this.acceptedAt);
                if (current(c) && this.quality.path)
                    this.#report(id);
            },
            onQuality: (c, quality) => {
                if (!current(c))
                    return;
                const moved = quality.path && quality.path !== this.quality.path;
                this.quality = quality;
                if (moved || quality.path && performance.now() - this.#reported >= reportEveryMs)
                    this.#report(id);
                owner.changed();
            },
            onOpen: c => {
                if (current(c) && hasPeer(owner.state()))
                    owner.onOpen();
            },
            onText: (c, text) => {
                if (current(c))
                    this.#heard(text);
                else if (c.early && c.texts.length < maxTexts)
                    c.texts.push(text);
            },
        });
    }

    /** @param {string} text of the data channel */
    #heard(text) {
        if (!hasPeer(this.#owner.state()))
            return;
        this.#owner.onText(text);
        this.#owner.changed();
    }

    /** @param {string} id */
    #report(id) {
        this.#reported = performance.now();
        const flows = this.#owner.state().phase === 'active' || undefined;
        this.#owner.tell(id, method.report, {path: this.quality.path, setupMs: this.#setupMs || undefined, flows});
    }
}
