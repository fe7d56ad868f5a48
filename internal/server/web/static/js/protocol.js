/**
 * The Visavis protocol as the browser speaks it: the envelope, the payloads of docs/protocol.md, and the checks that
 * everything from the wire passes before the rest of the page sees it. It mirrors Go's package signal and is held to the same
 * golden messages. It knows no network and no page.
 */

export const subprotocol = 'visavis.1';
export const maxMessage = 64 << 10;
export const maxChat = 2000;

export const method = Object.freeze(/** @type {const} */ ({
    userConnect: 'User/Connect',
    userList: 'User/List',
    userOnline: 'User/Online',
    userOffline: 'User/Offline',
    userRemoved: 'User/Removed',
    userSelf: 'User/Self',
    offer: 'Message/Offer',
    answer: 'Message/Answer',
    candidate: 'Message/Candidate',
    sendToAll: 'Message/SendToAll',
    sendTo: 'Message/SendTo',
    history: 'Message/History',
    unread: 'Message/Unread',
    read: 'Message/Read',
    invite: 'Call/Invite',
    ringing: 'Call/Ringing',
    accept: 'Call/Accept',
    reject: 'Call/Reject',
    cancel: 'Call/Cancel',
    hangup: 'Call/Hangup',
    report: 'Call/Report',
    media: 'Call/Media',
    restart: 'Call/Restart',
    servers: 'Call/Servers',
    ended: 'Call/Ended',
    userChanges: 'User/Changes',
    ack: 'Session/Ack',
    stopping: 'Server/Stopping',
}));

export const code = Object.freeze(/** @type {const} */ ({
    ok: 0,
    error: 1,
    userList: 10000,
    chat: 10005,
    userOnline: 10006,
    userRemoved: 10007,
    userOffline: 10008,
    candidate: 10009,
    offer: 10010,
    answer: 10011,
    userSelf: 10012,
    userChanges: 10013,
    read: 10014,
    invite: 10100,
    ringing: 10101,
    accepted: 10102,
    ended: 10103,
    media: 10104,
    restart: 10105,
    servers: 10106,
    ack: 10200,
    stopping: 10201,
}));

/**
 * @typedef {object} Envelope
 * @property {string} method
 * @property {number} type         0 system, 1 a person's text
 * @property {string} [message]    for people
 * @property {string} [fromId]     set by the server
 * @property {string} [toId]
 * @property {string} [callId]
 * @property {number} code         0 ok, 1 error, 10000 and more: pushes
 * @property {string} [requestId]
 * @property {unknown} [data]
 * @property {number} [seq]        its number in the session, from 1
 * @property {number} [ack]        the last number that has come the other way
 */
/** @typedef {{id: string, name: string, kind: string, online: boolean, dnd?: boolean}} User */
/** @typedef {{id: number, fromId: string, fromName: string, toId?: string, text: string, sent: string}} ChatMessage */
/** @typedef {{self: User, users: User[], callId?: string, server: string, run?: string, iceServers?: ICEServer[], session?: string, resumed?: boolean, got?: number}} Connected */
/** @typedef {{with?: string|null, id: number}} Read  a person has seen a chat up to that line */
/** @typedef {{newest: number, chats: {with?: string|null, count: number, last: number}[]|null}} Unread */
/** @typedef {{urls: string[], username?: string, credential?: string}} ICEServer */
/** @typedef {{video: boolean, relayOnly?: boolean, early?: boolean, from: User, expiresMs?: number}} InvitePush */
/** @typedef {{devices: number, device?: string, iceServers?: ICEServer[]}} Ringing */
/** @typedef {{merged?: string, iceServers?: ICEServer[], peer?: User, video?: boolean}} Invited */
/** @typedef {{video: boolean, iceServers: ICEServer[], device?: string}} Accepted */
/** @typedef {{microphone: boolean, camera: boolean, screen?: boolean, paused?: boolean, change?: number}} Media */
/** @typedef {{candidate: string, sdpMid?: string|null, sdpMLineIndex?: number|null, device?: string}} Candidate */
/** @typedef {'direct'|'relay'} Path */
/**
 * @typedef {object} CallRecord  one call as the person who asks saw it
 * @property {string} id
 * @property {'outgoing'|'incoming'} direction
 * @property {User} peer
 * @property {boolean} video
 * @property {string} started
 * @property {string} [accepted]
 * @property {string} [ended]
 * @property {number} seconds
 * @property {string} [reason]
 * @property {string} [endedBy]
 * @property {Path} [path]
 * @property {number} [setupMs]
 * @property {boolean} missed
 */

/** @typedef {{id: string, device: string, created: string, used: string, current: boolean}} SessionInfo  a device that is signed in */
/** @typedef {{id: string, created: string, expires?: string, usesLeft: number, usedBy?: string[]|null}} Invitation */

/** An error of this page's own making: the wire brought something that is not the protocol. */
export class Malformed extends Error {}

/** @typedef {(v: unknown) => boolean} Rule */

/** @type {Rule} */
const text = v => typeof v === 'string';
/** @type {Rule} */
const flag = v => typeof v === 'boolean';
/** @type {Rule} */
const count = v => Number.isSafeInteger(v) && /** @type {number} */ (v) >= 0;
/** @type {Rule} */
const amount = v => typeof v === 'number' && v >= 0;
/** @type {Rule} */
const time = v => typeof v === 'string' && !Number.isNaN(Date.parse(v));
/** @type {Rule} An SDP; its limit is that of one message, which it arrived in. */
const sdp = v => typeof v === 'string' && v.startsWith('v=0');
/** @type {(is: Rule) => Rule} Go leaves empty fields out and writes null for a list that is nil. */
const maybe = is => v => v === undefined || v === null || is(v);
/** @type {(is: Rule) => Rule} */
const list = is => v => Array.isArray(v) && v.every(is);
/** @type {(fields: Record<string, Rule>) => Rule} */
const shape = fields => v => typeof v === 'object' && v !== null && !Array.isArray(v) &&
    Object.entries(fields).every(([name, is]) => is(/** @type {Record<string, unknown>} */ (v)[name]));

const user = shape({id: text, name: text, kind: text, online: flag, dnd: maybe(flag)});
const users = shape({users: maybe(list(user))});
const line = shape({id: count, fromId: text, fromName: text, toId: maybe(text), text, sent: time});
const ice = list(shape({urls: list(text), username: maybe(text), credential: maybe(text)}));
const media = shape({microphone: flag, camera: flag, screen: maybe(flag), paused: maybe(flag), change: maybe(count)});
const read = shape({with: maybe(text), id: count});
const restart = shape({offers: maybe(count)});
const candidate = shape({candidate: text, sdpMid: maybe(text), sdpMLineIndex: maybe(count), device: maybe(text)});
const description = shape({sdp, device: maybe(text), fresh: maybe(flag)});
const record = shape({
    id: text, direction: v => v === 'outgoing' || v === 'incoming', peer: user, video: flag, started: time, accepted: maybe(time),
    ended: maybe(time), seconds: amount, reason: maybe(text), endedBy: maybe(text), path: maybe(text), setupMs: maybe(amount), missed: flag,
});

const hangup = shape({reason: maybe(v => v === 'hangup' || v === 'connection_failed'), byId: maybe(text)});

/** @type {Readonly<Record<number, Rule>>} What the data of a push must be, by its code. */
const pushRules = {
    [code.userList]: users,
    [code.chat]: line,
    [code.read]: read,
    [code.userChanges]: users,
    [code.userOnline]: shape({user}),
    [code.userRemoved]: shape({user}),
    [code.userOffline]: shape({user}),
    [code.userSelf]: shape({user}),
    [code.candidate]: candidate,
    [code.offer]: description,
    [code.answer]: description,
    [code.invite]: shape({video: flag, relayOnly: maybe(flag), early: maybe(flag), from: user, expiresMs: maybe(count)}),
    [code.ringing]: shape({devices: count, device: maybe(text), iceServers: maybe(ice)}),
    [code.accepted]: shape({video: flag, iceServers: maybe(ice), device: maybe(text)}),
    [code.ended]: shape({reason: text, byId: maybe(text)}),
    [code.media]: media,
    [code.restart]: restart,
    [code.servers]: shape({iceServers: ice}),
    [code.stopping]: shape({afterMs: count}),
};

/** @type {Readonly<Record<string, Rule>>} What the data of a good reply must be, by its method; others carry nothing. */
const replyRules = {
    [method.userConnect]: shape({
        self: user, users: maybe(list(user)), callId: maybe(text), server: text, run: maybe(text), iceServers: maybe(ice),
        session: maybe(text), resumed: maybe(flag), got: maybe(count),
    }),
    [method.userList]: users,
    [method.sendToAll]: line,
    [method.sendTo]: line,
    [method.history]: shape({messages: maybe(list(line))}),
    [method.unread]: shape({newest: count, chats: maybe(list(shape({with: maybe(text), count, last: count})))}),
    [method.invite]: shape({merged: maybe(text), iceServers: maybe(ice), peer: maybe(user), video: maybe(flag)}),
    [method.ringing]: shape({iceServers: maybe(ice)}),
    [method.accept]: shape({video: flag, iceServers: maybe(ice)}),
};

/** @type {Readonly<Record<string, Rule>>} What the data of a request must be; this page is tested against it. */
const requestRules = {
    [method.userConnect]: shape({deviceId: text, device: text, client: text, resume: maybe(shape({session: maybe(text), got: maybe(count)})), renews: maybe(flag)}),
    [method.sendToAll]: shape({text}),
    [method.sendTo]: shape({text}),
    [method.history]: shape({with: maybe(text), before: maybe(count), limit: maybe(count)}),
    [method.read]: read,
    [method.offer]: description,
    [method.answer]: description,
    [method.candidate]: candidate,
    [method.invite]: shape({video: flag, relayOnly: maybe(flag), early: maybe(flag)}),
    [method.ringing]: shape({early: maybe(flag)}),
    [method.accept]: shape({video: flag, early: maybe(flag)}),
    [method.reject]: shape({reason: maybe(v => v === 'declined' || v === 'busy')}),
    [method.hangup]: hangup,
    [method.media]: media,
    [method.restart]: restart,
    [method.report]: shape({path: v => v === 'direct' || v === 'relay' || v === '', setupMs: maybe(count), flows: maybe(flag)}),
};

/** @type {Readonly<Record<string, Rule>>} What the data of a message over the data channel must be; others do not go there. */
const besideRules = {[method.hangup]: hangup, [method.media]: media, [method.restart]: restart};

const encoder = new TextEncoder();

/** @param {string} s */
const bytes = s => encoder.encode(s).length;

/**
 * Reads one WebSocket message and checks the envelope as Go's signal.Parse does.
 * @param {unknown} message
 * @returns {Envelope}
 */
export function parse(message) {
    if (typeof message !== 'string')
        throw new Malformed('not text');
    if (bytes(message) > maxMessage)
        throw new Malformed(`longer than ${maxMessage} bytes`);
    let e;
    try {
        e = JSON.parse(message);
    } catch {
        throw new Malformed('not JSON');
    }
    const ok = shape({
        method: text, type: maybe(v => v === 0 || v === 1), message: maybe(text), fromId: maybe(text), toId: maybe(text),
        callId: maybe(text), code: maybe(Number.isInteger), requestId: maybe(text), seq: maybe(count), ack: maybe(count),
    });
    if (!ok(e) || e.method === '')
        throw new Malformed('not an envelope');
    if ([e.method, e.requestId, e.toId, e.callId].some(s => s && bytes(s) > 64))
        throw new Malformed('method, requestId, toId or callId is longer than 64 bytes');
    return {...e, type: e.type ?? 0, code: e.code ?? 0};
}

/**
 * @param {Envelope} e
 * @param {Rule|undefined} is
 */
function payload(e, is) {
    const data = e.data ?? {};
    if (is && !is(data))
        throw new Malformed(`data of ${e.method}`);
    return data;
}

/** @param {Envelope} e */
export const isPush = e => e.code >= 10000;

/**
 * The data of a push, checked by its code.
 * @param {Envelope} e
 * @returns {any}
 */
export const pushData = e => payload(e, pushRules[e.code]);

/**
 * The data of a good reply, checked by its method.
 * @param {Envelope} e
 * @returns {any}
 */
export const replyData = e => payload(e, replyRules[e.method]);

/**
 * The data of a request, as the server will check it.
 * @param {Envelope} e
 * @returns {any}
 */
export const requestData = e => payload(e, requestRules[e.method]);

/**
 * The data of a message that came over the data channel.
 * @param {Envelope} e
 * @returns {any}
 */
export function besideData(e) {
    if (!Object.hasOwn(besideRules, e.method))
        throw new Malformed(`${e.method} does not go over the data channel`);
    return payload(e, besideRules[e.method]);
}

/**
 * The code of an error reply.
 * @param {Envelope} e
 * @returns {string}
 */
export function problem(e) {
    const data = /** @type {{error?: unknown}|null|undefined} */ (e.data);
    return typeof data?.error === 'string' ? data.error : 'internal';
}

/**
 * A call record of the account API, checked.
 * @param {unknown} v
 * @returns {CallRecord}
 */
export function callRecord(v) {
    if (!record(v))
        throw new Malformed('call record');
    return /** @type {CallRecord} */ (v);
}

/**
 * A user of the account API, checked.
 * @param {unknown} v
 * @returns {User}
 */
export function person(v) {
    if (!user(v))
        throw new Malformed('user');
    return /** @type {User} */ (v);
}

const sessions = shape({sessions: maybe(list(shape({id: text, device: text, created: time, used: time, current: flag})))});
const invites = shape({invites: maybe(list(shape({id: text, created: time, expires: maybe(time), usesLeft: count, usedBy: maybe(list(text))})))});

/**
 * @template T
 * @param {Rule} is
 * @param {string} what
 * @returns {(v: unknown) => T}
 */
const checked = (is, what) => v => {
    if (!is(v))
        throw new Malformed(what);
    return /** @type {any} */ (v);
};

/** Lists of the account API, checked. @type {(v: unknown) => {sessions: SessionInfo[]|null}} */
export const sessionList = checked(sessions, 'sessions');
/** @type {(v: unknown) => {invites: Invitation[]|null}} */
export const invitationList = checked(invites, 'invites');
/** @type {(v: unknown) => {users: User[]|null}} */
export const userList = checked(users, 'users');

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** An id of 130 random bits in 26 lower-case letters and digits. randomUUID would need a secure context; this does not. */
export function newID() {
    return Array.from(crypto.getRandomValues(new Uint8Array(26)), b => alphabet[b & 31]).join('');
}
