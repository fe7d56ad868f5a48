/**
 * Runs the call machine of machine.js for this page: turns what people, server, media and the other side do into its
 * events, and carries out its effects with the link, one Media and one Capture. What a view may show is in its fields; every
 * change is told to the owner. It knows no page elements.
 */
import {keepAwake} from './awake.js';
import {Beside} from './beside.js';
import {Capture, lookForDevices} from './capture.js';
import {RequestError} from './link.js';
import {hasPeer, idle, isLive, next} from './machine.js';
import {Media} from './media.js';
import {code, method, newID, pushData} from './protocol.js';
import {canConnectEarly} from './rtc.js';
import {Says, refusal} from './says.js';

/** @typedef {import('./machine.js').State} State */
/** @typedef {import('./machine.js').Event} Event */
/** @typedef {import('./machine.js').Effect} Effect */
/** @typedef {import('./protocol.js').Envelope} Envelope */
/** @typedef {import('./protocol.js').User} User */
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

/** How often the server is asked for while media is gone too. */
const hurryEveryMs = 2000;

/** Ends of a call that only rang here which need no page: this person knows them, and has settled it. */
const settled = new Set(['declined', 'answered_elsewhere', 'declined_elsewhere']);

const nobody = Object.freeze({id: '', name: 'Somebody', kind: 'person', online: true});

export class Calling {
    /** @type {State} */ state = idle;
    /** @type {User} the other person */ peer = nobody;
    /** How many devices of the other person ring. */
    devices = 0;
    /** When media first flowed, as Date.now(); 0 before. */
    since = 0;
    /** How long media flowed, once it has ended; ms. */
    lasted = 0;
    /** Who ended it, as a user id; empty: the server, or this page by itself. */
    endedBy = '';
    /** @type {Capture|null} this side's devices */ capture = null;

    /** @type {World} */ #world;
    #media;
    #beside;
    /** Whether the caller can connect while it rings. */ #mayEarly = false;
    /** Of the server, as it was heard last. */ #run = '';
    /** Whether the server has taken the invite. */
    #invited = false;
    /** @type {any} */ #timer = null;
    #says;

    /** @param {World} world */
    constructor(world) {
        this.#world = world;
        this.#says = new Says(world.link, id => this.live && this.state.id === id);
        this.#media = new Media({
            state: () => this.state, track: kind => this.capture?.track(kind) ?? null, relayOnly: () => world.settings.relayOnly,
            tell: (id, name, data) => this.#says.tell(id, name, data), apply: e => this.#apply(e), changed: world.changed,
            onOpen: () => this.#sendMedia(), onText: text => this.#beside.got(text),
        });
        this.#beside = new Beside({
            id: () => this.state.id, peer: () => this.#media.peer,
            onHangup: reason => this.#hungUp(reason), onRestart: offers => this.#media.peer?.restart(offers),
        });
    }

    get remote() {
        return this.#media.peer?.remote ?? null;
    }

    /** How the connection does. */
    get quality() {
        return this.#media.quality;
    }

    /** What the other side's switches say. */
    get theirs() {
        return this.#beside.theirs;
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
            this.#beside.say(method.hangup, {reason: 'hangup'});
            this.#world.link.lastWord(method.hangup, {callId, data: {reason: 'hangup'}});
            break;
        }
    }

    /** The session is over: whatever call there was is this page's no more. */
    reset() {
        this.#apply({type: 'GotEnded', id: this.state.id, reason: 'server_lost'});
        this.dismiss();
        this.#says.forget();
        this.#run = '';
    }

    /**
     * The link is back. The call that the server still counts this device to goes on, any other has ended.
     * @param {{callId?: string, run?: string, iceServers?: import('./protocol.js').ICEServer[]|null}} connected
     */
    async online({callId: hubs = '', run = '', iceServers}) {
        const restarted = this.#run !== '' && run !== '' && run !== this.#run;
        this.#run = run || this.#run;
        if (hubs === this.state.id && hasPeer(this.state) && iceServers?.length)
            this.#media.serversAnew(iceServers, restarted);
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

    /** The link is back as if it had never been away. */
    resumed() {
        this.#says.online();
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
            if (data.device && this.state.phase === 'ringing_out')
                this.#media.openEarly(data.device, data.iceServers ?? []);
            break;
        case code.accepted:
            if (hasPeer(this.state))
                break; // said again after a restart of the server
            this.#agreed(data);
            if (data.device)
                this.#media.keep(data.device);
            this.#apply({type: 'GotAccepted', id});
            break;
        case code.ended:
            this.endedBy = data.byId ?? '';
            this.#apply({type: 'GotEnded', id, reason: data.reason});
            break;
        case code.media:
            this.#beside.gotMedia(data);
            break;
        case code.offer:
            this.#media.gotOffer(data);
            break;
        case code.answer:
            this.#media.signalled(data.device, peer => peer.gotAnswer(data.sdp));
            break;
        case code.candidate:
            this.#media.signalled(data.device, peer => peer.gotCandidate(data));
            break;
        case code.restart:
            this.#media.peer?.restart(data.offers);
            break;
        case code.servers: // those before will not be good for long
            if (hasPeer(this.state) && data.iceServers.length)
                this.#media.serversAnew(data.iceServers, false);
            break;
        }
        this.#world.changed();
    }

    /**
     * The other side has hung up, and said so beside the server. It may never reach the server again, which would keep the
     * call, and this page, for somebody who has gone.
     * @param {string} reason
     */
    #hungUp(reason) {
        const {id, peerId} = this.state;
        this.endedBy = peerId;
        this.#says.bid(method.hangup, {callId: id, data: {reason, byId: peerId}});
        this.#apply({type: 'GotEnded', id, reason});
    }

    /** This machine has other networks than before. */
    networkChanged() {
        this.#media.peer?.networkChanged();
    }

    /** While media is gone the call waits for the server: it is asked for at a steady pace. */
    #hurry() {
        const {id} = this.state;
        setTimeout(() => {
            if (this.state.id !== id || this.state.phase !== 'reconnecting')
                return;
            if (!this.#world.link.online)
                this.#world.link.hurry();
            this.#hurry();
        }, hurryEveryMs);
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
        this.#beside.theirs = {...this.theirs, camera: video};
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
        if (was.phase === 'incoming' && settled.has(now.reason))
            this.dismiss();
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
        case 'incoming':
            lookForDevices();
            break;
        case 'accepting':
            this.#media.acceptedAt = performance.now();
            this.#openDevices(now.video);
            break;
        case 'connecting':
            this.#media.acceptedAt ||= performance.now();
            break;
        case 'active':
            this.since ||= Date.now();
            break;
        case 'reconnecting':
            this.#hurry();
            break;
        case 'ended':
            this.lasted = this.since && Date.now() - this.since;
            this.#media.closeEarly();
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
        this.devices = this.since = this.lasted = 0;
        this.endedBy = '';
        this.#media.begin();
        this.#beside.begin();
        this.#invited = false;
        this.capture = null;
    }

    /** @param {boolean} video */
    #openDevices(video) {
        const capture = this.capture = new Capture({
            onTrack: (kind, track) => {
                if (this.capture === capture)
                    this.#media.setTrack(kind, track);
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
            this.#media.release(); // after the accept: before it the server lets no address pass
            break;
        case 'SendReject':
            this.#says.bid(method.reject, {callId: effect.id, data: {reason: effect.reason}});
            break;
        case 'SendCancel':
            this.#says.bid(method.cancel, {callId: effect.id});
            break;
        case 'SendHangup':
            this.#beside.say(method.hangup, {reason: effect.reason});
            this.#says.bid(method.hangup, {callId: effect.id, data: {reason: effect.reason}});
            break;
        case 'OpenPeer':
            this.#media.open(effect.id, effect.offerer);
            break;
        case 'ClosePeer':
            this.#media.close();
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
            const early = this.#media.keepOwn() || undefined;
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
        this.#media.agreed(data.iceServers);
        this.#beside.theirs = {microphone: true, camera: Boolean(data.video)};
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
            if (servers?.length && this.state.id === id && this.state.phase === 'incoming')
                this.#media.openEarly('', servers);
        } catch {
            // The caller then goes without the sign.
        }
    }

    #sendMedia() {
        if (!this.capture || !hasPeer(this.state))
            return;
        const {microphone, camera, screen} = this.capture;
        const media = this.#beside.sayMedia({microphone, camera, screen: screen || undefined});
        this.#says.tell(this.state.id, method.media, media);
    }
}
