/**
 * Runs the call machine of machine.js for this page: turns what people, server and media do into its events, and carries out
 * its effects with the link, one Peer and one Capture. What a view may show is in its fields; every change is told to
 * the owner. It knows no page elements.
 */
import {keepAwake} from './awake.js';
import {Capture} from './capture.js';
import {RequestError} from './link.js';
import {hasPeer, idle, isLive, next} from './machine.js';
import {code, method, newID, pushData} from './protocol.js';
import {Peer, canConnectEarly} from './rtc.js';
import {Says} from './says.js';

/** @typedef {import('./machine.js').State} State */
/** @typedef {import('./machine.js').Event} Event */
/** @typedef {import('./machine.js').Effect} Effect */
/** @typedef {import('./protocol.js').Envelope} Envelope */
/** @typedef {import('./protocol.js').User} User */
/** @typedef {import('./protocol.js').Media} Media */
/** @typedef {import('./protocol.js').CallRecord} CallRecord */

/**
 * What calling needs of its surroundings.
 * @typedef {object} World
 * @property {import('./link.js').Link} link
 * @property {import('./ring.js').Ringer} ringer
 * @property {import('./settings.js').Settings} settings
 * @property {(id: string) => User|undefined} person
 * @property {(id: string) => Promise<CallRecord>} record  of a call that the server knows
 * @property {() => void} changed
 * @property {() => void} recorded  the server's record of calls has news
 */

/** What is kept for a media connection that is not open yet: one negotiation, several times over. */
const maxHeld = 256;

/** How many of the other's devices are connected while it rings. */
const maxEarly = 3;

/**
 * A connection of the present call.
 * @typedef {object} Connection
 * @property {string} device  early: the other's device as the server calls it for the caller; empty for the callee
 * @property {boolean} early  made while it rings, and not the call's own yet
 * @property {boolean} up     connected
 * @property {Peer} peer
 */

const nobody = Object.freeze({id: '', name: 'Somebody', kind: 'person', online: true});

export class Calling {
    /** @type {State} */ state = idle;
    /** @type {User} the other person */ peer = nobody;
    /** How many devices of the other person ring. */
    devices = 0;
    /** What the other side's switches say. @type {Media} */ theirs = {microphone: true, camera: false};
    /** When media first flowed, as Date.now(); 0 before. */
    since = 0;
    /** How long media flowed, once it has ended; ms. */
    lasted = 0;
    /** Who ended it, as a user id; empty: the server, or this page by itself. */
    endedBy = '';
    /** @type {import('./rtc.js').Quality} */ quality = {path: '', rttMs: 0, lossPercent: 0};
    /** @type {Capture|null} this side's devices */ capture = null;

    /** @type {World} */ #world;
    /** @type {Peer|null} */ #peer = null;
    /** Connections made while it rings: a head start that nothing else depends on. @type {Connection[]} */ #early = [];
    /** The one that goes on. @type {Connection|null} */ #kept = null;
    /** Whether the own offer must say that the connection which the callee has kept is no more. */ #fresh = false;
    /** Whether the present connection was made while it rang. */ #wasEarly = false;
    /** Whether the caller can connect while it rings. */ #mayEarly = false;
    /** @type {import('./protocol.js').ICEServer[]} */ #iceServers = [];
    /** What came for a media connection that is not open yet. @type {((peer: Peer) => void)[]} */ #held = [];
    /** Whether the server has taken the invite. */
    #invited = false;
    /** @type {any} */ #timer = null;
    #acceptedAt = 0;
    #setupMs = 0;
    #says;

    /** @param {World} world */
    constructor(world) {
        this.#world = world;
        this.#says = new Says(world.link, id => this.live && this.state.id === id);
    }

    get remote() {
        return this.#peer?.remote ?? null;
    }

    get live() {
        return isLive(this.state);
    }

    /**
     * @param {string} peerId
     * @param {boolean} video
     */
    dial(peerId, video) {
        this.#apply({type: 'Dial', id: newID(), peerId, video});
    }

    /** @param {boolean} video */
    accept(video) {
        this.#apply({type: 'Accept', video});
    }

    decline() {
        this.#apply({type: 'Decline'});
    }

    hangup() {
        this.#apply({type: 'Hangup'});
    }

    dismiss() {
        this.#apply({type: 'Dismiss'});
    }

    /** The page is about to be gone: says goodbye without waiting for an answer. */
    leave() {
        if (!this.live)
            return;
        const callId = this.state.id;
        switch (this.state.phase) {
        case 'dialing': case 'ringing_out':
            this.#world.link.lastWord(method.cancel, {callId});
            break;
        case 'accepting': case 'connecting': case 'active': case 'reconnecting':
            this.#world.link.lastWord(method.hangup, {callId, data: {reason: 'hangup'}});
            break;
        }
    }

    /** The session is over: whatever call there was is this page's no more. */
    reset() {
        this.#apply({type: 'GotEnded', id: this.state.id, reason: 'server_lost'});
        this.dismiss();
        this.#says.forget();
    }

    /**
     * The link is back; hubs is the call the server still counts this device to.
     * @param {string} hubs
     */
    async online(hubs) {
        this.#says.online();
        const {id, phase} = this.state;
        if (!this.live || id === hubs || phase === 'dialing' && !this.#invited)
            return; // an invite without an answer is sent again
        let reason = 'server_lost';
        try {
            const record = await this.#world.record(id);
            if (record.ended) {
                reason = record.reason || reason;
                this.endedBy = record.endedBy ?? '';
            } else if (record.accepted && phase === 'incoming')
                reason = 'answered_elsewhere';
        } catch {
            // The record does not say; this side lost the server.
        }
        this.#apply({type: 'GotEnded', id, reason});
    }

    /**
     * What the hub says of calls.
     * @param {Envelope} e
     */
    push(e) {
        const data = pushData(e);
        const id = e.callId ?? '';
        if (e.code === code.ended)
            this.#world.recorded();
        if (e.code === code.invite) {
            this.#gotInvite(id, data);
            return;
        }
        if (id !== this.state.id || !this.live)
            return; // of another call, or of one that is over
        switch (e.code) {
        case code.ringing:
            this.devices = data.devices;
            this.#apply({type: 'GotRinging', id});
            if (data.device && this.state.phase === 'ringing_out' && !this.#earlyOf(data.device) && this.#early.length < maxEarly)
                this.#openEarly(id, data.device, data.iceServers ?? []);
            break;
        case code.accepted:
            this.#agreed(data);
            if (data.device && !this.#peer) {
                this.#kept = this.#earlyOf(data.device);
                this.#fresh = !this.#kept;
            }
            this.#apply({type: 'GotAccepted', id});
            break;
        case code.ended:
            this.endedBy = data.byId ?? '';
            this.#apply({type: 'GotEnded', id, reason: data.reason});
            break;
        case code.media:
            this.theirs = data;
            break;
        case code.offer:
            this.#gotOffer(data);
            break;
        case code.answer:
            this.#signalled(data.device, peer => peer.gotAnswer(data.sdp));
            break;
        case code.candidate:
            this.#signalled(data.device, peer => peer.gotCandidate(data));
            break;
        case code.restart:
            this.#peer?.restart();
            break;
        }
        this.#world.changed();
    }

    /** @param {boolean} on */
    setMicrophone(on) {
        this.capture?.setMicrophone(on);
    }

    /** @param {boolean} on */
    setCamera(on) {
        this.capture?.setCamera(on);
    }

    /** @param {boolean} on */
    setScreen(on) {
        this.capture?.setScreen(on);
    }

    /**
     * @param {string} id
     * @param {import('./protocol.js').InvitePush} data
     */
    #gotInvite(id, data) {
        const {phase, peerId} = this.state;
        if (peerId === data.from.id && (phase === 'dialing' || phase === 'ringing_out'))
            return; // both dialled: the hub is about to connect them, and "busy" would be wrong
        const video = this.live ? this.theirs.camera : data.video;
        if (!this.live)
            this.#mayEarly = Boolean(data.early) && canConnectEarly();
        this.#apply({type: 'GotInvite', id, peerId: data.from.id}, data.from);
        this.theirs = {...this.theirs, camera: video};
        this.#world.changed();
    }

    /**
     * Sets the new state first, then does what follows from it.
     * @param {Event} e
     * @param {User} [peer] when the event names a person that the roster may not know
     */
    #apply(e, peer) {
        const was = this.state;
        const [now, effects] = next(was, e);
        if (now !== was)
            this.#enter(was, now, peer);
        for (const effect of effects)
            this.#do(effect);
        this.#world.changed();
    }

    /**
     * @param {State} was
     * @param {State} now
     * @param {User} [peer]
     */
    #enter(was, now, peer) {
        this.state = now;
        if (isLive(now) && !isLive(was))
            this.#begin(peer ?? this.#world.person(now.peerId) ?? {...nobody, id: now.peerId});
        if (now.phase === was.phase)
            return;
        switch (now.phase) {
        case 'dialing':
            this.#openDevices(now.video);
            break;
        case 'accepting':
            this.#acceptedAt = performance.now();
            this.#openDevices(now.video);
            break;
        case 'connecting':
            this.#acceptedAt ||= performance.now();
            break;
        case 'active':
            this.since ||= Date.now();
            break;
        case 'ended':
            this.lasted = this.since && Date.now() - this.since;
            this.#giveUpEarly(null);
            this.capture?.close();
            keepAwake(false);
            if (hasPeer(was))
                this.#world.ringer.ended();
            break;
        }
    }

    /** @param {User} peer */
    #begin(peer) {
        this.peer = peer;
        this.devices = this.since = this.lasted = this.#acceptedAt = this.#setupMs = 0;
        this.endedBy = '';
        this.theirs = {microphone: true, camera: false};
        this.quality = {path: '', rttMs: 0, lossPercent: 0};
        this.#iceServers = [];
        this.#held = [];
        this.#early = [];
        this.#kept = null;
        this.#fresh = this.#wasEarly = this.#invited = false;
        this.capture = null;
    }

    /** @param {boolean} video */
    #openDevices(video) {
        const capture = this.capture = new Capture({
            onTrack: (kind, track) => {
                if (this.capture === capture)
                    (this.#peer ?? this.#kept?.peer)?.setTrack(kind, track);
            },
            onChange: () => {
                if (this.capture !== capture)
                    return;
                this.#sendMedia();
                this.#world.changed();
            },
        }, this.#world.settings.cleanSound);
        capture.open(video);
        keepAwake(true);
    }

    /** @param {Effect} effect */
    #do(effect) {
        const {ringer, settings} = this.#world;
        switch (effect.type) {
        case 'SendInvite':
            this.#invite(effect.id, effect.peerId, {
                video: effect.video, relayOnly: settings.relayOnly || undefined, early: canConnectEarly() || undefined,
            });
            break;
        case 'SendRinging':
            this.#ringing(effect.id);
            break;
        case 'SendAccept':
            this.#accept(effect.id, effect.video);
            this.#release(); // after the accept: before it the server lets no address pass
            break;
        case 'SendReject':
            this.#says.bid(method.reject, {callId: effect.id, data: {reason: effect.reason}});
            break;
        case 'SendCancel':
            this.#says.bid(method.cancel, {callId: effect.id});
            break;
        case 'SendHangup':
            this.#says.bid(method.hangup, {callId: effect.id, data: {reason: effect.reason}});
            break;
        case 'OpenPeer':
            this.#openPeer(effect.id, effect.offerer);
            break;
        case 'ClosePeer':
            this.#peer?.close();
            this.#peer = null;
            break;
        case 'StartTimer': {
            const {id} = this.state;
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#apply({type: 'Timeout', id}), effect.forMs);
            break;
        }
        case 'StopTimer':
            clearTimeout(this.#timer);
            break;
        case 'Ring':
            ringer.ring(effect.incoming, this.peer.name);
            break;
        case 'Quiet':
            ringer.quiet();
            break;
        }
    }

    /**
     * @param {string} id
     * @param {string} toId
     * @param {object} data
     */
    async #invite(id, toId, data) {
        try {
            if (!this.#world.link.online)
                throw new RequestError('offline', 'The server cannot be reached.');
            const invited = await this.#says.insist(id, method.invite, {toId, callId: id, data});
            if (this.state.id !== id)
                return;
            this.#invited = true;
            if (!invited.merged)
                return;
            this.#agreed(invited);
            this.#apply({type: 'Merged', id, into: invited.merged});
        } catch (err) {
            this.#apply({type: 'Refused', id, reason: refusal(err)});
        }
    }

    /**
     * @param {string} id
     * @param {boolean} video
     */
    async #accept(id, video) {
        const callers = this.theirs.camera;
        try {
            this.#kept = this.#earlyOf('');
            const early = this.#kept ? true : undefined;
            const accepted = await this.#says.insist(id, method.accept, {callId: id, data: {video, early}});
            if (this.state.id !== id)
                return;
            this.#agreed({...accepted, video: callers});
            this.#apply({type: 'AcceptOK', id});
        } catch (err) {
            this.#apply({type: 'Refused', id, reason: refusal(err)});
        }
    }

    /**
     * Both want the call; data is a reply or push with what media needs.
     * @param {{video?: boolean, iceServers?: import('./protocol.js').ICEServer[]|null}} data
     */
    #agreed(data) {
        this.#iceServers = data.iceServers ?? [];
        this.theirs = {microphone: true, camera: Boolean(data.video)};
    }

    /**
     * @param {string} id
     * @param {boolean} offerer
     */
    #openPeer(id, offerer) {
        const kept = this.#kept && this.#early.includes(this.#kept) && this.state.outgoing === offerer ? this.#kept : null;
        this.#giveUpEarly(kept);
        const c = kept ?? this.#connect(id, offerer, '', this.#iceServers, false);
        c.early = false;
        this.#wasEarly = Boolean(kept);
        this.#peer = c.peer;
        for (const kind of /** @type {const} */ (['audio', 'video']))
            c.peer.setTrack(kind, this.capture?.track(kind) ?? null);
        c.peer.release();
        for (const f of this.#held.splice(0))
            f(c.peer);
        this.#sendMedia();
        if (c.up)
            this.#apply({type: 'PeerUp', id});
    }

    /**
     * @param {string} id
     * @param {boolean} offerer
     * @param {string} device
     * @param {import('./protocol.js').ICEServer[]} iceServers
     * @param {boolean} early
     * @returns {Connection}
     */
    #connect(id, offerer, device, iceServers, early) {
        const fresh = this.#fresh || undefined;
        const c = /** @type {Connection} */ ({device, early, up: false});
        /** @type {(name: string) => (data: object) => void} */
        const send = name => data => this.#says.tell(id, name, c.early && device ? {...data, device} : data);
        const current = () => this.#peer === peer && this.state.id === id;
        const [offer, answer, candidate] = [method.offer, method.answer, method.candidate].map(send);
        const {relayOnly} = this.#world.settings;
        const peer = c.peer = new Peer({offerer, iceServers, relayOnly, held: early}, {
            onOffer: sdp => offer(fresh ? {sdp, fresh} : {sdp}),
            onAnswer: sdp => answer({sdp}),
            onCandidate: candidate,
            onUp: () => {
                c.up = true;
                if (current())
                    this.#apply({type: 'PeerUp', id});
            },
            onDown: () => {
                c.up = false;
                if (current())
                    this.#apply({type: 'PeerDown', id});
            },
            onFailed: () => {
                if (current())
                    this.#apply({type: 'PeerFailed', id});
                else
                    this.#drop(c);
            },
            onFirstMedia: () => {
                this.#setupMs = Math.round(performance.now() - this.#acceptedAt);
                if (current() && this.quality.path)
                    this.#report(id);
            },
            onQuality: quality => {
                if (!current())
                    return;
                const moved = quality.path && quality.path !== this.quality.path;
                this.quality = quality;
                if (moved)
                    this.#report(id);
                this.#world.changed();
            },
        });
        return c;
    }

    /**
     * Says that it rings here, and that this page can be connected meanwhile if the caller can.
     * @param {string} id
     */
    async #ringing(id) {
        try {
            const data = {early: this.#mayEarly || undefined};
            const {data: rung} = await this.#world.link.request(method.ringing, {callId: id, data});
            const servers = /** @type {{iceServers?: import('./protocol.js').ICEServer[]}} */ (rung).iceServers;
            if (servers?.length && this.state.id === id && this.state.phase === 'incoming' && !this.#early.length)
                this.#openEarly(id, '', servers);
        } catch {
            // The caller then goes without the sign.
        }
    }

    /**
     * @param {string} id
     * @param {string} device
     * @param {import('./protocol.js').ICEServer[]} iceServers
     */
    #openEarly(id, device, iceServers) {
        this.#early.push(this.#connect(id, this.state.outgoing, device, iceServers, true));
    }

    /**
     * @param {string} device
     * @returns {Connection|null}
     */
    #earlyOf(device) {
        return this.#early.find(c => c.device === device) ?? null;
    }

    /** Accepted here: what stands is used at once, before the server has said that this page was first. */
    #release() {
        const peer = this.#kept?.peer;
        if (!peer)
            return;
        for (const kind of /** @type {const} */ (['audio', 'video']))
            peer.setTrack(kind, this.capture?.track(kind) ?? null);
        peer.release();
    }

    /** @param {Connection} c */
    #drop(c) {
        c.peer.close();
        this.#early = this.#early.filter(o => o !== c);
        if (this.#kept === c)
            this.#kept = null;
    }

    /** @param {Connection|null} but */
    #giveUpEarly(but) {
        for (const c of this.#early) {
            if (c !== but)
                c.peer.close();
        }
        this.#early = [];
    }

    /** @param {{sdp: string, device?: string, fresh?: boolean}} data */
    #gotOffer(data) {
        if (data.fresh && this.#wasEarly && !this.state.outgoing) {
            this.#peer?.close();
            this.#kept = null;
            this.#openPeer(this.state.id, false);
        }
        this.#signalled(data.device, peer => peer.gotOffer(data.sdp));
    }

    /**
     * Brings what the other's device signalled to the connection that it is for.
     * @param {string|undefined} device
     * @param {(peer: Peer) => void} f
     */
    #signalled(device, f) {
        const c = this.#earlyOf(device ?? '');
        if (c)
            f(c.peer);
        else if (!device || this.#kept?.device === device)
            this.#toPeer(f);
    }

    /** @param {(peer: Peer) => void} f done with the media connection, now or when it is open */
    #toPeer(f) {
        if (this.#peer)
            f(this.#peer);
        else if (this.#held.length < maxHeld)
            this.#held.push(f);
    }

    /** @param {string} id */
    #report(id) {
        this.#says.tell(id, method.report, {path: this.quality.path, setupMs: this.#setupMs || undefined});
    }

    #sendMedia() {
        if (!this.capture || !hasPeer(this.state))
            return;
        const {microphone, camera, screen} = this.capture;
        this.#says.tell(this.state.id, method.media, {microphone, camera, screen: screen || undefined});
    }
}

/**
 * The end reason of a call whose invite or accept the server did not take. Codes that are no end reason stay as they are.
 * @param {unknown} err
 */
function refusal(err) {
    if (!(err instanceof RequestError) || err.code === 'offline' || err.code === 'timeout')
        return 'server_lost';
    switch (err.code) {
    case 'already_answered':
        return 'answered_elsewhere';
    case 'not_in_call':
        return 'cancelled';
    case 'not_found':
        return 'offline';
    }
    return err.code;
}
