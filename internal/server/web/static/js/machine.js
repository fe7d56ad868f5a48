/**
 * The state machine of this page's call, pure: next(state, event) gives the next state and what to do, with no clock and
 * no network. It is the same machine as Go's package call, whose comment has the drawing; one table of transitions
 * holds both. calling.js runs it.
 */

/** @typedef {'idle'|'dialing'|'ringing_out'|'incoming'|'accepting'|'connecting'|'active'|'reconnecting'|'ended'} Phase */

/**
 * @typedef {object} State
 * @property {Phase} phase
 * @property {string} id       call id
 * @property {string} peerId   the other person's user id
 * @property {boolean} outgoing
 * @property {boolean} video   we mean to send a picture
 * @property {string} reason   ended: an end reason of protocol.js
 */

/**
 * Events. Dial, Accept, Decline, Hangup and Dismiss are the person's; Got… come from the server; Peer… from media.
 * @typedef {{type: 'Dial', id: string, peerId: string, video: boolean}
 *   | {type: 'Accept', video: boolean} | {type: 'Decline'} | {type: 'Hangup'} | {type: 'Dismiss'}
 *   | {type: 'GotInvite', id: string, peerId: string} | {type: 'GotRinging', id: string}
 *   | {type: 'GotAccepted', id: string} | {type: 'AcceptOK', id: string}
 *   | {type: 'Merged', id: string, into: string} | {type: 'Refused', id: string, reason: string}
 *   | {type: 'GotEnded', id: string, reason: string}
 *   | {type: 'PeerUp', id: string} | {type: 'PeerDown', id: string} | {type: 'PeerFailed', id: string}
 *   | {type: 'Timeout', id: string}} Event
 */

/**
 * Effects, done in order once the new state is set.
 * @typedef {{type: 'SendInvite', id: string, peerId: string, video: boolean} | {type: 'SendRinging', id: string}
 *   | {type: 'SendAccept', id: string, video: boolean} | {type: 'SendReject', id: string, reason: string}
 *   | {type: 'SendCancel', id: string} | {type: 'SendHangup', id: string, reason: string}
 *   | {type: 'OpenPeer', id: string, offerer: boolean} | {type: 'ClosePeer', id: string}
 *   | {type: 'StartTimer', forMs: number} | {type: 'StopTimer'}
 *   | {type: 'Ring', incoming: boolean} | {type: 'Quiet'}} Effect
 */

/** @typedef {[State, Effect[]]} Step */

export const ringTimeoutMs = 50_000;
export const connectTimeoutMs = 25_000;
export const reconnectLimitMs = 30_000;

/** @type {Readonly<State>} */
export const idle = Object.freeze({phase: 'idle', id: '', peerId: '', outgoing: false, video: false, reason: ''});

/**
 * Whether a call holds this device: microphone, ringing, or a wish to talk.
 * @param {State} s
 */
export function isLive(s) {
    switch (s.phase) {
    case 'idle': case 'ended':
        return false;
    case 'dialing': case 'ringing_out': case 'incoming': case 'accepting': case 'connecting': case 'active': case 'reconnecting':
        return true;
    }
}

/**
 * Whether a media connection exists or is being made.
 * @param {State} s
 */
export function hasPeer(s) {
    switch (s.phase) {
    case 'connecting': case 'active': case 'reconnecting':
        return true;
    case 'idle': case 'dialing': case 'ringing_out': case 'incoming': case 'accepting': case 'ended':
        return false;
    }
}

/**
 * The state after e and what to do. An event that does not fit the phase or the call id changes nothing.
 * @param {State} s
 * @param {Event} e
 * @returns {Step}
 */
export function next(s, e) {
    switch (e.type) {
    case 'Dial': {
        if (isLive(s))
            return [s, []];
        const to = /** @type {State} */ ({...idle, phase: 'dialing', id: e.id, peerId: e.peerId, outgoing: true, video: e.video});
        return [to, [timer(ringTimeoutMs), {type: 'SendInvite', id: e.id, peerId: e.peerId, video: e.video}]];
    }
    case 'GotInvite':
        return gotInvite(s, e.id, e.peerId);
    case 'Dismiss':
        return [s.phase === 'ended' ? idle : s, []];
    case 'Accept': case 'Decline': case 'Hangup':
        return person(s, e);
    }
    if (e.id !== s.id || !isLive(s))
        return [s, []];
    switch (e.type) {
    case 'PeerUp': case 'PeerDown': case 'PeerFailed':
        return hasPeer(s) ? media(s, e) : [s, []];
    case 'Timeout':
        return timeout(s);
    }
    return server(s, e);
}

/**
 * @param {State} s
 * @param {string} id
 * @param {string} peerId
 * @returns {Step}
 */
function gotInvite(s, id, peerId) {
    if (isLive(s)) // the same id: said again after a reconnect
        return [s, id === s.id ? [] : [{type: 'SendReject', id, reason: 'busy'}]];
    return [{...idle, phase: 'incoming', id, peerId}, [timer(ringTimeoutMs), {type: 'SendRinging', id}, {type: 'Ring', incoming: true}]];
}

/**
 * @param {State} s
 * @param {Extract<Event, {type: 'Accept'|'Decline'|'Hangup'}>} e
 * @returns {Step}
 */
function person(s, e) {
    if (e.type === 'Accept') {
        if (s.phase !== 'incoming')
            return [s, []];
        const to = /** @type {State} */ ({...s, phase: 'accepting', video: e.video});
        return [to, [{type: 'Quiet'}, timer(connectTimeoutMs), {type: 'SendAccept', id: s.id, video: e.video}]];
    }
    switch (s.phase) {
    case 'incoming':
        return end(s, 'declined', {type: 'SendReject', id: s.id, reason: 'declined'});
    case 'dialing': case 'ringing_out':
        return e.type === 'Hangup' ? end(s, 'cancelled', {type: 'SendCancel', id: s.id}) : [s, []];
    case 'accepting': case 'connecting': case 'active': case 'reconnecting':
        return e.type === 'Hangup' ? end(s, 'hangup', {type: 'SendHangup', id: s.id, reason: 'hangup'}) : [s, []];
    case 'idle': case 'ended':
        return [s, []];
    }
}

/**
 * What the server says of this call, which is live.
 * @param {State} s
 * @param {Extract<Event, {type: 'GotRinging'|'GotAccepted'|'AcceptOK'|'Merged'|'Refused'|'GotEnded'}>} e
 * @returns {Step}
 */
function server(s, e) {
    const asked = s.phase === 'dialing' || s.phase === 'ringing_out';
    switch (e.type) {
    case 'GotRinging':
        if (s.phase === 'dialing')
            return [{...s, phase: 'ringing_out'}, [{type: 'Ring', incoming: false}]];
        break;
    case 'GotAccepted':
        if (asked)
            return [{...s, phase: 'connecting'}, [{type: 'Quiet'}, timer(connectTimeoutMs), {type: 'OpenPeer', id: s.id, offerer: true}]];
        break;
    case 'AcceptOK':
        if (s.phase === 'accepting')
            return [{...s, phase: 'connecting'}, [timer(connectTimeoutMs), {type: 'OpenPeer', id: s.id, offerer: false}]];
        break;
    case 'Merged':
        if (asked) {
            const to = /** @type {State} */ ({...s, phase: 'connecting', id: e.into, outgoing: false});
            return [to, [{type: 'Quiet'}, timer(connectTimeoutMs), {type: 'OpenPeer', id: e.into, offerer: false}]];
        }
        break;
    case 'Refused':
        if (s.phase === 'dialing' || s.phase === 'accepting')
            return end(s, e.reason, null);
        break;
    case 'GotEnded':
        return end(s, e.reason, null);
    }
    return [s, []];
}

/**
 * @param {State} s
 * @param {Extract<Event, {type: 'PeerUp'|'PeerDown'|'PeerFailed'}>} e
 * @returns {Step}
 */
function media(s, e) {
    switch (e.type) {
    case 'PeerUp':
        return s.phase === 'active' ? [s, []] : [{...s, phase: 'active'}, [{type: 'StopTimer'}]];
    case 'PeerDown':
        return s.phase === 'active' ? [{...s, phase: 'reconnecting'}, [timer(reconnectLimitMs)]] : [s, []];
    case 'PeerFailed':
        return end(s, 'connection_failed', {type: 'SendHangup', id: s.id, reason: 'connection_failed'});
    }
}

/**
 * @param {State} s
 * @returns {Step}
 */
function timeout(s) {
    switch (s.phase) {
    case 'dialing':
        return end(s, 'server_lost', {type: 'SendCancel', id: s.id});
    case 'ringing_out':
        return end(s, 'no_answer', {type: 'SendCancel', id: s.id});
    case 'incoming':
        return end(s, 'no_answer', null);
    case 'accepting':
        return end(s, 'server_lost', {type: 'SendHangup', id: s.id, reason: 'connection_failed'});
    case 'connecting': case 'reconnecting':
        return end(s, 'connection_failed', {type: 'SendHangup', id: s.id, reason: 'connection_failed'});
    case 'idle': case 'active': case 'ended':
        return [s, []];
    }
}

/**
 * Leaves the call: tell is sent first (null: nobody needs to be told), then all that the call held is let go.
 * @param {State} s
 * @param {string} reason
 * @param {Effect|null} tell
 * @returns {Step}
 */
function end(s, reason, tell) {
    /** @type {Effect[]} */
    const does = tell ? [tell] : [];
    does.push({type: 'StopTimer'}, {type: 'Quiet'});
    if (hasPeer(s))
        does.push({type: 'ClosePeer', id: s.id});
    return [{...s, phase: 'ended', reason}, does];
}

/**
 * @param {number} forMs
 * @returns {Effect}
 */
function timer(forMs) {
    return {type: 'StartTimer', forMs};
}
