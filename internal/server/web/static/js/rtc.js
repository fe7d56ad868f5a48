/**
 * One media connection: an RTCPeerConnection with an audio and a video m-line that stay sendrecv from the first offer on, so
 * that a camera or screen can come and go without negotiation. The caller offers; whoever loses the way offers an ICE
 * restart, and when both do, the callee gives way. Beside it goes a data channel. calling.js owns one a call; devices are
 * capture.js's matter.
 */
import {Channel, dataLabel, dataProtocol} from './channel.js';
import {Copies, inOrder} from './copies.js';

/** @typedef {import('./protocol.js').ICEServer} ICEServer */
/** @typedef {import('./protocol.js').Candidate} Candidate */
/** @typedef {import('./protocol.js').Path} Path */
/** @typedef {'audio'|'video'} Kind */

/**
 * How the connection does; the last second's figures.
 * @typedef {object} Quality
 * @property {Path|''} path
 * @property {number} rttMs        0: not known
 * @property {number} lossPercent  of what should have arrived here
 */

/**
 * @typedef {object} Owner
 * @property {(sdp: string) => void} onOffer
 * @property {(sdp: string) => void} onAnswer
 * @property {(candidate: Candidate) => void} onCandidate
 * @property {() => void} onUp
 * @property {() => void} onDown         lost, may come back
 * @property {(err: Error) => void} onFailed
 * @property {() => void} onFirstMedia   the first decoded picture or sound of the other side
 * @property {(quality: Quality) => void} onQuality
 * @property {() => void} onOpen         what is said over the data channel arrives
 * @property {(text: string) => void} onText
 */

/** The caller tries a restart first, so that both rarely do at once. */
const restartAfterMs = {offerer: 2000, answerer: 6000};
const restartAgainMs = 8000;

/** A way that is lost so soon after this machine's networks have changed was lost by that, and will not come back. */
const changeCountsMs = 10_000;
const statsEveryMs = 1000;
const eagerEveryMs = 50;
const eagerForMs = 30_000;

/**
 * Whether this browser can be connected while it rings. Firefox nominates one path and stays with it: connected over a
 * relay it would keep to the relay.
 */
export const canConnectEarly = () => !globalThis.navigator?.userAgent?.includes('Firefox');

/**
 * A relay candidate without the own address in it (RFC 8839 section 5.1: raddr); null for others, which are that address.
 * @param {string} candidate
 * @returns {string|null}
 */
export function hideAddress(candidate) {
    const f = candidate.trim().split(/\s+/);
    if (f[6] !== 'typ' || f[7] !== 'relay')
        return null;
    for (let i = 8; i + 1 < f.length; i += 2) {
        if (f[i] === 'raddr')
            f[i + 1] = '0.0.0.0';
        else if (f[i] === 'rport')
            f[i + 1] = '0';
    }
    return f.join(' ');
}

/**
 * A description without candidates.
 * @param {string} sdp
 */
const withoutCandidates = sdp => sdp.split('\r\n').filter(line => !line.startsWith('a=candidate:')).join('\r\n');

export class Peer {
    #pc;
    #offerer;
    /** @type {Owner} */ #owner;
    #closed = false;
    /** Connected over relays only and without media, until release. */ #held;
    /** Own candidates that wait for it. @type {Candidate[]} */ #ours = [];
    #wasUp = false;
    #sawMedia = false;
    /** What comes from the wire is done one after the other. @type {Promise<void>} */ #queue = Promise.resolve();
    /** @type {Candidate[]} */ #early = [];
    /** @type {Map<Kind, MediaStreamTrack|null>} */ #tracks = new Map();
    #local = new MediaStream(); // only its id counts: tracks of one stream are kept in step at the other side
    /** @type {any} */ #restart = null;
    /** Offers since media may flow. */
    #offers = 0;
    /** @type {any} */ #stats = null;
    #channel;
    #received = {packets: 0, lost: 0};
    #copies = new Copies();
    /** The other side's last description, as it was sent. */
    #theirs = '';
    #began = performance.now();
    #measured = 0;
    #networkChanged = -Infinity;
    /** The other side's sound and picture, in one stream for one video element. */
    remote = new MediaStream();

    /**
     * @param {{offerer: boolean, iceServers: ICEServer[], relayOnly: boolean, held?: boolean}} options
     * @param {Owner} owner
     */
    constructor({offerer, iceServers, relayOnly, held = false}, owner) {
        this.#offerer = offerer;
        this.#held = held;
        this.#owner = owner;
        const pc = this.#pc = new RTCPeerConnection({
            iceServers, iceTransportPolicy: relayOnly ? 'relay' : 'all', bundlePolicy: 'max-bundle',
        });
        pc.onicecandidate = ({candidate}) => this.#gotLocal(candidate);
        pc.onconnectionstatechange = () => this.#moved();
        pc.ontrack = ({track}) => this.remote.addTrack(track);
        this.#channel = new Channel(owner);
        if (offerer)
            this.#channel.take(pc.createDataChannel(dataLabel, {protocol: dataProtocol}));
        pc.ondatachannel = ({channel}) => offerer ? channel.close() : this.#channel.take(channel);
        this.#watch();
        if (offerer)
            this.#do(() => this.#offer());
    }

    /**
     * Says a text to the other side's program over the data channel; false: there is none.
     * @param {string} text
     */
    say(text) {
        return this.#channel.say(text);
    }

    /**
     * The servers for the next path that is sought.
     * @param {ICEServer[]} iceServers
     */
    setServers(iceServers) {
        this.#pc.setConfiguration({...this.#pc.getConfiguration(), iceServers});
    }

    /**
     * What this side sends of a kind from now on; null sends nothing.
     * @param {Kind} kind
     * @param {MediaStreamTrack|null} track
     */
    setTrack(kind, track) {
        this.#tracks.set(kind, track);
        if (this.#held)
            return;
        this.#transceiver(kind)?.sender.replaceTrack(track).catch(err => this.#log('replace track', err));
    }

    /** Somebody has accepted: media flows, and direct paths are told and tried. */
    release() {
        if (!this.#held)
            return;
        this.#held = false;
        this.#offers = 0;
        this.#began = performance.now();
        for (const [kind, track] of this.#tracks)
            this.setTrack(kind, track);
        for (const candidate of this.#ours.splice(0))
            this.#owner.onCandidate(candidate);
    }

    /**
     * The path is lost, whatever this browser thinks of it: another one is offered.
     * @param {number} [offers] how many whoever asks for it has had: one that was made since is what they asked for
     */
    restart(offers = 0) {
        if (this.#wasUp && !this.#held && !(offers && offers < this.#offers))
            this.#restartIn(0, true);
    }

    /** This machine has other networks than before. */
    networkChanged() {
        this.#networkChanged = performance.now();
        if (this.#wasUp && !this.#held && ['disconnected', 'failed'].includes(this.#pc.connectionState))
            this.#restartIn(0);
    }

    /** @param {string} sdp */
    gotOffer(sdp) {
        this.#do(async () => {
            const pc = this.#pc;
            if (pc.signalingState !== 'stable' && this.#offerer)
                return; // both offered: the callee takes the caller's
            await this.#describe('offer', sdp);
            for (const kind of /** @type {Kind[]} */ (['audio', 'video'])) {
                const t = this.#transceiver(kind);
                if (!t)
                    continue;
                t.direction = 'sendrecv';
                t.sender.setStreams?.(this.#local);
                await t.sender.replaceTrack(this.#sends(kind));
            }
            await pc.setLocalDescription();
            this.#owner.onAnswer(this.#sdp());
        });
    }

    /** @param {string} sdp */
    gotAnswer(sdp) {
        this.#do(async () => {
            if (this.#pc.signalingState !== 'have-local-offer')
                return;
            await this.#describe('answer', sdp);
        });
    }

    /** @param {Candidate} candidate */
    gotCandidate(candidate) {
        if (this.#held && candidate.candidate && !hideAddress(candidate.candidate))
            return; // not before accept
        this.#do(async () => {
            if (this.#pc.remoteDescription)
                await this.#add(candidate);
            else
                this.#early.push(candidate);
        });
    }

    close() {
        this.#closed = true;
        clearTimeout(this.#restart);
        clearTimeout(this.#stats);
        const pc = this.#pc;
        pc.onicecandidate = pc.onconnectionstatechange = pc.ontrack = pc.ondatachannel = null;
        this.#channel.close();
        const {partingMs} = this.#channel;
        if (partingMs > 0)
            setTimeout(() => pc.close(), partingMs);
        else
            pc.close();
    }

    /**
     * Does one step of negotiation after the ones before it. A step that fails before media ever flowed is the end; a failed
     * restart is tried again.
     * @param {() => Promise<void>} step
     */
    #do(step) {
        this.#queue = this.#queue.then(() => this.#closed ? undefined : step()).catch(err => {
            if (this.#closed)
                return;
            this.#log('negotiate', err);
            if (!this.#wasUp)
                this.#owner.onFailed(err instanceof Error ? err : new Error(String(err)));
        });
    }

    async #offer() {
        const pc = this.#pc;
        if (pc.getTransceivers().length === 0) {
            for (const kind of /** @type {Kind[]} */ (['audio', 'video'])) {
                const t = pc.addTransceiver(kind, {direction: 'sendrecv', streams: [this.#local]});
                await t.sender.replaceTrack(this.#sends(kind));
            }
        }
        this.#offers++;
        await pc.setLocalDescription(await pc.createOffer({iceRestart: this.#wasUp}));
        this.#owner.onOffer(this.#sdp());
    }

    /**
     * Takes the other side's description.
     * @param {'offer'|'answer'} type
     * @param {string} sdp
     */
    async #describe(type, sdp) {
        const read = this.#copies.read(sdp, this.#pc);
        try {
            await this.#pc.setRemoteDescription({type, sdp: read});
        } catch (err) {
            if (read === sdp)
                throw err;
            this.#copies.refused();
            await this.#pc.setRemoteDescription({type, sdp});
        }
        this.#theirs = sdp;
        await this.#addEarly();
    }

    #sdp() {
        const {sdp} = /** @type {RTCSessionDescription} */ (this.#pc.localDescription);
        return inOrder(this.#held ? withoutCandidates(sdp) : sdp);
    }

    /**
     * @param {Kind} kind
     * @returns {MediaStreamTrack|null}
     */
    #sends(kind) {
        return this.#held ? null : this.#tracks.get(kind) ?? null;
    }

    async #addEarly() {
        for (const candidate of this.#early.splice(0))
            await this.#add(candidate);
    }

    /** @param {Candidate} candidate */
    async #add(candidate) {
        try {
            await this.#pc.addIceCandidate(candidate);
        } catch (err) {
            this.#log('candidate', err); // one way less; the others may do
        }
    }

    /** @param {RTCIceCandidate|null} candidate */
    #gotLocal(candidate) {
        if (!candidate) {
            if (!this.#held) // the direct ones may be to come
                this.#owner.onCandidate({candidate: ''});
        } else if (candidate.candidate) { // an empty one only ends a generation
            const {candidate: text, sdpMid, sdpMLineIndex} = candidate;
            const hidden = this.#held ? hideAddress(text) : text;
            if (hidden)
                this.#owner.onCandidate({candidate: hidden, sdpMid, sdpMLineIndex});
            else
                this.#ours.push({candidate: text, sdpMid, sdpMLineIndex});
        }
    }

    #moved() {
        switch (this.#pc.connectionState) {
        case 'connected':
            clearTimeout(this.#restart);
            this.#restart = null;
            this.#wasUp = true;
            this.#owner.onUp();
            break;
        case 'disconnected':
            if (this.#held)
                break;
            this.#owner.onDown();
            if (performance.now() - this.#networkChanged < changeCountsMs)
                this.#restartIn(0);
            else
                this.#restartIn(this.#offerer ? restartAfterMs.offerer : restartAfterMs.answerer);
            break;
        case 'failed':
            if (!this.#wasUp || this.#held) {
                this.#owner.onFailed(new Error('no way found between the two sides'));
                break;
            }
            this.#owner.onDown();
            this.#restartIn(this.#offerer ? 0 : restartAfterMs.answerer);
            break;
        }
    }

    /**
     * @param {number} ms
     * @param {boolean} [asked] though it looks as if media flowed
     */
    #restartIn(ms, asked = false) {
        if (this.#restart && ms > 0)
            return;
        clearTimeout(this.#restart);
        this.#restart = setTimeout(() => {
            this.#restart = null;
            if (this.#pc.connectionState === 'connected' && !asked)
                return;
            this.#do(async () => {
                if (this.#pc.signalingState === 'stable')
                    await this.#offer();
            });
            this.#restartIn(restartAgainMs);
        }, ms);
    }

    /** @param {Kind} kind */
    #transceiver(kind) {
        return this.#pc.getTransceivers().find(t => t.receiver.track.kind === kind && t.currentDirection !== 'stopped');
    }

    /** Reads the statistics: often until something of the other side was decoded, then once a second. */
    async #watch() {
        const report = await this.#pc.getStats().catch(() => null);
        if (this.#closed)
            return;
        if (report)
            this.#measure(report, [...report.values()]);
        const eager = !this.#sawMedia && performance.now() - this.#began < eagerForMs;
        this.#stats = setTimeout(() => this.#watch(), eager ? eagerEveryMs : statsEveryMs);
    }

    /**
     * @param {RTCStatsReport} report
     * @param {any[]} stats
     */
    #measure(report, stats) {
        if (!this.#sawMedia && !this.#held && stats.some(decoded)) {
            this.#sawMedia = true;
            this.#owner.onFirstMedia();
        }
        const now = performance.now();
        if (this.#wasUp && !this.#closed && now - this.#measured >= statsEveryMs - eagerEveryMs) {
            this.#measured = now;
            this.#owner.onQuality(this.#quality(report, stats));
            const copies = this.#copies;
            const wanted = copies.look(stats, selectedPair(report, stats)?.availableOutgoingBitrate, now);
            if (!this.#held && wanted !== copies.on)
                this.#do(() => copies.turn(this.#pc, this.#theirs, wanted, now));
        }
    }

    /**
     * @param {RTCStatsReport} report
     * @param {any[]} stats
     * @returns {Quality}
     */
    #quality(report, stats) {
        const pair = selectedPair(report, stats);
        const ends = [report.get(pair?.localCandidateId), report.get(pair?.remoteCandidateId)];
        const relayed = ends.some(c => c?.candidateType === 'relay');
        const inbound = stats.filter(s => s.type === 'inbound-rtp');
        const now = {packets: sum(inbound, 'packetsReceived'), lost: sum(inbound, 'packetsLost')};
        const lost = Math.max(0, now.lost - this.#received.lost);
        const expected = now.packets - this.#received.packets + lost;
        this.#received = now;
        return {
            path: pair ? relayed ? 'relay' : 'direct' : '',
            rttMs: Math.round((pair?.currentRoundTripTime ?? 0) * 1000),
            lossPercent: expected > 0 ? lost / expected * 100 : 0,
        };
    }

    /**
     * @param {string} what
     * @param {unknown} err
     */
    #log(what, err) {
        console.warn(`peer: ${what}: ${err instanceof Error ? err.message : err}`);
    }
}

/**
 * Whether a statistic shows sound or picture of the other side that was really decoded.
 * @param {any} s
 */
function decoded(s) {
    if (s.type !== 'inbound-rtp')
        return false;
    return s.kind === 'video' ? s.framesDecoded > 0 : s.packetsReceived > 0 && s.totalSamplesReceived > s.concealedSamples;
}

/**
 * The pair of candidates that media travels by. Firefox has no selectedCandidatePairId but marks the pair.
 * @param {RTCStatsReport} report
 * @param {any[]} stats
 */
function selectedPair(report, stats) {
    const transport = stats.find(s => s.type === 'transport' && s.selectedCandidatePairId);
    return transport ? report.get(transport.selectedCandidatePairId) : stats.find(s => s.type === 'candidate-pair' && s.selected);
}

/**
 * @param {any[]} stats
 * @param {string} field
 */
const sum = (stats, field) => stats.reduce((n, s) => n + (s[field] ?? 0), 0);
