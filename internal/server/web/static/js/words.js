/** What people read: phases, end reasons, times and numbers in plain words. Pure. */

/** @typedef {import('./machine.js').State} State */
/** @typedef {import('./protocol.js').CallRecord} CallRecord */

/**
 * Where the call is, for the status line.
 * @param {State} s
 * @param {string} name of the other person
 * @param {number} devices of the other person that ring
 */
export function phaseWords(s, name, devices) {
    switch (s.phase) {
    case 'idle':
        return '';
    case 'dialing':
        return `Calling ${name}…`;
    case 'ringing_out':
        return devices > 1 ? `Ringing on ${devices} devices…` : 'Ringing…';
    case 'incoming':
        return `${name} is calling`;
    case 'accepting': case 'connecting':
        return 'Connecting…';
    case 'active':
        return `In a call with ${name}`;
    case 'reconnecting':
        return 'Connection lost, reconnecting…';
    case 'ended':
        return 'Call ended';
    }
}

/**
 * How a call ended: a headline and a line that explains it.
 * @param {{reason: string, outgoing: boolean, name: string, byMe: boolean, talked: boolean}} call talked: media once flowed
 * @returns {[string, string]}
 */
export function endWords({reason, outgoing, name, byMe, talked}) {
    switch (reason) {
    case 'hangup':
        return ['Call ended', byMe ? 'You hung up.' : `${name} hung up.`];
    case 'declined':
        return outgoing ? [`${name} declined`, 'They did not take the call.'] : ['Call declined', `You declined the call from ${name}.`];
    case 'cancelled':
        return outgoing ? ['Call cancelled', 'You hung up before there was an answer.'] : [`Missed call from ${name}`, 'They hung up before you answered.'];
    case 'busy':
        return outgoing ? [`${name} is busy`, 'They are in another call.'] : [`Missed call from ${name}`, 'You were in another call.'];
    case 'no_answer':
        return outgoing ? [`${name} did not answer`, 'Nobody picked up. You could send a message instead.'] :
            [`Missed call from ${name}`, 'It rang, but was not answered.'];
    case 'offline':
        return outgoing ? [`${name} is not online`, 'They will see your call when they are back.'] :
            [`Missed call from ${name}`, 'You were not online.'];
    case 'do_not_disturb':
        return outgoing ? [`${name} does not want to be disturbed`, 'They will see that you called. You could send a message.'] :
            [`Missed call from ${name}`, 'You did not want to be disturbed.'];
    case 'answered_elsewhere':
        return ['Answered elsewhere', 'You took this call on another device.'];
    case 'declined_elsewhere':
        return ['Declined elsewhere', 'You declined this call on another device.'];
    case 'peer_gone':
        if (byMe)
            return talked || outgoing ? ['Connection lost', 'Your connection to the server was lost and did not come back in time.'] :
                [`Missed call from ${name}`, 'Your connection to the server was lost while it rang.'];
        return talked || outgoing ? [`${name} is gone`, 'Their connection to the server was lost and did not come back.'] :
            [`Missed call from ${name}`, 'Their connection was lost while it rang.'];
    case 'connection_failed':
        return talked ? ['Connection lost', 'The way for sound and picture broke and could not be mended.'] :
            ['No connection', 'No way for sound and picture was found between the two of you. A firewall may block it.'];
    case 'server_lost':
        return ['Server not reached', 'The connection to the server was lost. Please try again in a moment.'];
    case 'server_stopped':
        return ['Server stopped', 'The server was shut down. Please try again later.'];
    case 'blocked':
        return [`You have blocked ${name}`, 'Let them through again before you call.'];
    case 'already_in_call':
        return ['You are in a call already', 'It runs on another of your devices. Hang up there first.'];
    case 'too_many':
        return ['Too many calls', 'Please wait a moment before you call again.'];
    case '':
        return ['Call running', 'It has not ended yet.'];
    }
    return ['Call ended', `The call could not go on (${reason}).`];
}

/** @param {CallRecord} r */
export function recordWords(r) {
    if (r.missed)
        return 'Missed';
    if (!r.ended)
        return 'Going on now';
    if (r.accepted)
        return duration(r.seconds * 1000);
    switch (r.reason) {
    case 'declined':
        return 'Declined';
    case 'cancelled':
        return 'Cancelled';
    case 'busy':
        return 'Busy';
    case 'no_answer':
        return 'No answer';
    case 'offline':
        return 'Not online';
    case 'do_not_disturb':
        return 'Do not disturb';
    }
    return 'Not connected';
}

/**
 * 0:07, 12:44, 1:02:03
 * @param {number} ms
 */
export function clock(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
    const h = Math.floor(s / 3600);
    const rest = `${h ? two(Math.floor(s / 60) % 60) : Math.floor(s / 60)}:${two(s % 60)}`;
    return h ? `${h}:${rest}` : rest;
}

/**
 * 8 s, 12 min 44 s, 1 h 2 min
 * @param {number} ms
 */
export function duration(ms) {
    const s = Math.round(ms / 1000);
    if (s < 60)
        return `${s} s`;
    if (s < 3600)
        return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
    return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

/**
 * 14:05
 * @param {Date} t
 */
export const hour = t => t.toLocaleTimeString([], {hour: 'numeric', minute: '2-digit'});

/**
 * Midnights from one time to another.
 * @param {Date} from
 * @param {Date} to
 */
function daysBetween(from, to) {
    const midnight = (/** @type {Date} */ d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
    return Math.round((midnight(to) - midnight(from)) / 86_400_000);
}

/**
 * Today, Yesterday, Monday, 3 March 2026
 * @param {Date} t
 * @param {Date} now
 */
export function day(t, now) {
    const days = daysBetween(t, now);
    if (days === 0)
        return 'Today';
    if (days === 1)
        return 'Yesterday';
    if (days > 1 && days < 7)
        return t.toLocaleDateString([], {weekday: 'long'});
    return t.toLocaleDateString([], {day: 'numeric', month: 'long', year: t.getFullYear() === now.getFullYear() ? undefined : 'numeric'});
}

/**
 * A time to come: 14:05, tomorrow at 8:00, 3 March
 * @param {Date} t
 * @param {Date} now
 */
export function moment(t, now) {
    const days = daysBetween(now, t);
    if (days <= 0)
        return hour(t);
    return days === 1 ? `tomorrow at ${hour(t)}` : day(t, now);
}

/**
 * When a device was last there. The server counts in hours.
 * @param {Date} t
 * @param {Date} now
 */
export function lastUsed(t, now) {
    if (now.getTime() - t.getTime() < 2 * 3_600_000)
        return 'Active lately';
    const name = day(t, now);
    return `Last active ${name === 'Today' || name === 'Yesterday' ? name.toLowerCase() : name}`;
}

/**
 * One or two letters for a round picture.
 * @param {string} name
 */
export function initials(name) {
    const words = name.split(/[\s._-]+/).filter(Boolean);
    const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [name];
    return letters.map(w => [...w][0] ?? '').join('').toUpperCase();
}

/** How many colours the style sheet has for round pictures. */
const tints = 12;
const utf8 = new TextEncoder();

/**
 * Which of them is a person's: the one that the desktop app has, too (FNV-1a of the name).
 * @param {string} name
 */
export const tint = name => utf8.encode(name).reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193) >>> 0, 0x811c9dc5) % tints;
