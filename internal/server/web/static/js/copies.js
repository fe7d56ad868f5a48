/**
 * When this browser sends its sound twice, and how it is made to. Chromium puts a copy of each packet of sound into the next
 * one (RFC 2198) when the other side's description names that codec before Opus, and goes by nothing else; so the description
 * is read to it in another order while the line loses packets. Nothing of this is signalled: both sides have agreed on
 * both codecs, and what this side says names Opus first (inOrder). A browser that knows no such copies is left alone. It knows
 * no connection; rtc.js owns one Copies for each.
 */

/** Share of lost packets, smoothed over some four seconds of speech: from here on copies are sent, */
const lossyFrom = 0.015;
/** and no more when there was less than this for so long. */
const calmBelow = 0.005;
const calmForMs = 10_000;
/** What is left of an old share after so many packets, a second of speech: in pauses, and between browsers, reports are about fewer or more. */
const keeps = 0.75;
const ofPackets = 50;

/** A narrow line has no room for them, bit/s: none are begun below the first, and all end below the second. */
const roomFrom = 200_000;
const roomAtLeast = 120_000;

const restMs = 3000;

export class Copies {
    on = false;
    #share = 0;
    #reported = 0;
    #packets = 0;
    #lost = 0;
    #calm = 0;
    #changed = -Infinity;

    /**
     * Takes the latest figures, and says whether copies should be sent.
     * @param {any[]} stats
     * @param {number|undefined} room  what the line takes in all, bit/s
     * @param {number} now             ms
     */
    look(stats, room, now) {
        const sent = stats.find(s => s.type === 'outbound-rtp' && s.kind === 'audio');
        const told = stats.find(s => s.type === 'remote-inbound-rtp' && s.kind === 'audio');
        if (!sent || !told)
            return this.on;
        if (told.timestamp > this.#reported) {
            const packets = sent.packetsSent - this.#packets;
            const most = Math.max(this.#lost, told.packetsLost); // what came late is taken back
            if (this.#reported > 0 && packets > 0)
                this.#share += (Math.min((most - this.#lost) / packets, 1) - this.#share) * (1 - keeps ** (packets / ofPackets));
            this.#reported = told.timestamp;
            this.#packets = sent.packetsSent;
            this.#lost = most;
        }
        if (this.#share >= calmBelow)
            this.#calm = now;
        if (now - this.#changed < restMs)
            return this.on;
        if (this.on)
            return now - this.#calm < calmForMs && !(room !== undefined && room < roomAtLeast);
        return this.#share >= lossyFrom && !(room !== undefined && room < roomFrom);
    }

    /**
     * A description of the other side as the browser is to read it now.
     * @param {string} theirs
     * @param {RTCPeerConnection} pc
     */
    read(theirs, pc) {
        return this.on && withCopies(theirs, pc.localDescription?.sdp ?? '') || theirs;
    }

    /** The browser does not take what read gives it: from now on it gets what was sent. */
    refused() {
        this.on = false;
        this.#changed = Infinity;
    }

    /**
     * Begins to send copies, or ends it: the browser is told once more what the other side said last. Where that cannot be
     * done now, it is tried again later; a browser that refuses is left alone.
     * @param {RTCPeerConnection} pc
     * @param {string} theirs
     * @param {boolean} wanted
     * @param {number} now  ms
     */
    async turn(pc, theirs, wanted, now) {
        if (this.on === wanted)
            return; // it was waiting for another step
        this.#changed = now;
        const read = withCopies(theirs, pc.localDescription?.sdp ?? '');
        if (!read || pc.signalingState !== 'stable' || pc.connectionState !== 'connected')
            return;
        try {
            await pc.setRemoteDescription({type: 'offer', sdp: asOffer(wanted ? read : theirs)});
            await pc.setLocalDescription();
            this.on = wanted;
        } catch (err) {
            this.refused();
            if (pc.signalingState !== 'stable')
                await pc.setRemoteDescription({type: 'rollback'});
            throw err;
        }
    }
}

/**
 * The other side's description, read so that this browser sends copies; null where not both sides know them. Pauses are sent
 * as well then (RFC 7587 section 6.1, usedtx): the packet that says that one begins is as easily lost as any, and has no copy.
 * @param {string} theirs
 * @param {string} ours
 * @returns {string|null}
 */
function withCopies(theirs, ours) {
    if (!soundTypes(ours))
        return null;
    const types = soundTypes(theirs);
    if (!types)
        return null;
    const {opus, red} = types;
    return ofSound(theirs, line => {
        if (line.startsWith('m=audio '))
            return withTypes(line, list => [red, ...list.filter(t => t !== red)]);
        if (line.startsWith(`a=fmtp:${opus} `))
            return line.replace(/;?usedtx=1/, '').replace(' ;', ' ');
        return line;
    });
}

/**
 * A description as it is said to the other side: Opus first, whatever this browser was told. Otherwise the other side's
 * browser would send copies for good.
 * @param {string} sdp
 */
export function inOrder(sdp) {
    const types = soundTypes(sdp);
    if (!types)
        return sdp;
    const {opus, red} = types;
    return ofSound(sdp, line => !line.startsWith('m=audio ') ? line : withTypes(line, list =>
        list.indexOf(red) < list.indexOf(opus) ? list.filter(t => t !== red).flatMap(t => t === opus ? [t, red] : [t]) : list));
}

/**
 * A description with each line about sound changed.
 * @param {string} sdp
 * @param {(line: string) => string} change
 */
const ofSound = (sdp, change) => sections(sdp).map(s => s.startsWith('m=audio ') ? s.split('\r\n').map(change).join('\r\n') : s).join('');

/**
 * The line of a section with other payload types, or in another order.
 * @param {string} line
 * @param {(types: string[]) => string[]} change
 */
function withTypes(line, change) {
    const [kind, port, profile, ...list] = line.split(' ');
    return [kind, port, profile, ...change(list)].join(' ');
}

/**
 * The same description as an offer, which can be answered here again at any time: neither path nor roles change by that.
 * @param {string} theirs
 */
const asOffer = theirs => theirs.replace(/^a=setup:\w+/gm, 'a=setup:actpass');

/** @param {string} sdp */
const sections = sdp => sdp.split(/^(?=m=)/m);

/**
 * The payload types of Opus, and of copies of it.
 * @param {string} sdp
 * @returns {{opus: string, red: string}|null}
 */
function soundTypes(sdp) {
    const sound = sections(sdp).find(s => s.startsWith('m=audio ')) ?? '';
    const opus = /^a=rtpmap:(\d+) opus\/48000\/2/im.exec(sound)?.[1];
    const red = /^a=rtpmap:(\d+) red\/48000\/2/im.exec(sound)?.[1];
    return opus && red ? {opus, red} : null;
}
