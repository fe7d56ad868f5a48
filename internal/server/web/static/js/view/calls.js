/** The record of calls: the list, newest first, and the page of one call. */
import {wide} from '../session.js';
import {clock, day, duration, endWords, hour, recordWords} from '../words.js';
import {attr, avatar, draw, h, icon, list, setText, show} from './dom.js';

/** @typedef {import('../session.js').Session} Session */
/** @typedef {import('../protocol.js').CallRecord} CallRecord */

/** @param {Session} session */
export function callsView(session) {
    const rows = h('ul', {class: 'rows', 'aria-label': 'Calls'});
    const more = h('button', {type: 'button', class: 'link', onclick: () => session.loadCalls(true)}, 'Show older calls');
    const empty = h('p', {class: 'empty'}, 'No calls yet. They will be listed here, the missed ones too.');
    const problem = h('p', {class: 'empty', role: 'alert'});
    const node = h('section', {class: 'list', testid: 'calls-list', 'aria-label': 'Calls'}, h('div', {class: 'scroll'}, rows, more, empty, problem));

    function update() {
        const {calls} = session;
        let last = '';
        const now = new Date();
        const items = calls.list.map(record => {
            const today = day(new Date(record.started), now);
            const first = today !== last;
            last = today;
            return {record, day: today, first};
        });
        list(rows, items, i => i.record.id, i => callRow(session, i.record));
        show(more, calls.more);
        more.disabled = calls.loading;
        show(empty, calls.loaded && calls.list.length === 0);
        setText(problem, calls.error);
        show(problem, calls.error !== '');
    }
    return {node, update};
}

/** @param {CallRecord} r @returns {'missed'|'incoming'|'outgoing'} */
const sign = r => r.missed ? 'missed' : r.direction;

/**
 * @param {Session} session
 * @param {CallRecord} record
 */
function callRow(session, {id, peer}) {
    const date = h('h2', {class: 'day'});
    const face = avatar();
    face.update(peer);
    const way = icon('incoming');
    const note = h('span', {class: 'row-note'});
    const kind = icon('camera');
    const spoken = h('span', {class: 'unseen'});
    const time = h('time', {class: 'row-time'});
    const open = h('button', {type: 'button', class: 'row-open', testid: 'call-row', onclick: () => session.go({page: 'call', id})}, face.node,
        h('span', {class: 'row-text'}, h('span', {class: 'row-name', dir: 'auto'}, peer.name), h('span', {class: 'row-note with-icon'}, way, spoken, note)),
        h('span', {class: 'row-end'}, time, kind));
    const node = h('li', {class: 'call-item'}, date, h('div', {class: 'row'}, open));

    /** @param {{record: CallRecord, day: string, first: boolean}} item first of that day */
    const update = ({record, day, first}) => {
        setText(date, day);
        show(date, first);
        attr(node, 'data-sign', sign(record));
        draw(way, sign(record));
        draw(kind, record.video ? 'camera' : 'phone');
        setText(note, recordWords(record));
        const started = new Date(record.started);
        setText(time, hour(started));
        attr(time, 'datetime', record.started);
        attr(open, 'aria-current', shownId(session) === id && 'page');
        setText(spoken, `${record.direction === 'incoming' ? 'Incoming' : 'Outgoing'} ${record.video ? 'video' : 'voice'} call, `);
    };
    return {node, update};
}

/**
 * The call whose page is shown: the one asked for, or beside the list the newest.
 * @param {Session} session
 */
function shownId({route, calls}) {
    if (route.page === 'call')
        return route.id;
    return wide.matches ? calls.list[0]?.id ?? '' : '';
}

/** @param {Session} session */
export function callDetailsView(session) {
    const face = avatar('huge');
    const name = h('h2', {dir: 'auto'});
    const outcome = h('p', {class: 'lead'});
    const facts = h('dl', {class: 'facts'});
    const dial = (/** @type {boolean} */ video) => () => record && session.calling.dial(record.peer.id, video);
    const actions = h('div', {class: 'actions'},
        h('button', {type: 'button', class: 'primary', onclick: dial(true)}, icon('camera'), 'Video call'),
        h('button', {type: 'button', class: 'secondary', onclick: dial(false)}, icon('phone'), 'Voice call'),
        h('button', {type: 'button', class: 'secondary', onclick: () => record && session.go({page: 'chat', id: record.peer.id})}, icon('chat'), 'Message'));
    const page = h('article', {class: 'details', testid: 'call-details', 'aria-label': 'Call details'}, face.node, name, outcome, actions, facts);
    const nothing = h('p', {class: 'empty'});
    const node = h('div', {class: 'details-box scroll'}, page, nothing);
    /** @type {CallRecord|null} */
    let record = null;

    function update() {
        const id = shownId(session);
        const {details, calls} = session;
        record = calls.list.find(c => c.id === id) ?? (details.id === id ? details.record : null);
        show(page, record !== null);
        show(nothing, record === null);
        setText(nothing, details.id === id && details.error || 'The calls you make and get are described here.');
        if (!record)
            return;
        const {peer} = record;
        show(actions, peer.kind !== 'deleted');
        face.update(peer);
        setText(name, peer.name);
        setText(outcome, headline(record, session.self.id).join('. ').replace('..', '.'));
        list(facts, factsOf(record), ([term]) => term, ([term]) => fact(term));
    }
    return {node, update};
}

/**
 * @param {CallRecord} r
 * @param {string} self
 */
function headline(r, self) {
    return endWords({
        reason: r.reason ?? '', outgoing: r.direction === 'outgoing', name: r.peer.name, byMe: r.endedBy === self,
        talked: Boolean(r.reason === 'connection_failed' ? r.path : r.accepted),
    });
}

/**
 * @param {CallRecord} r
 * @returns {[string, string][]}
 */
function factsOf(r) {
    const started = new Date(r.started);
    /** @type {[string, string][]} */
    const all = [
        ['Call', `${r.direction === 'incoming' ? 'Incoming' : 'Outgoing'} ${r.video ? 'video' : 'voice'} call`],
        ['Started', `${day(started, new Date())}, ${started.toLocaleTimeString()}`],
        ['Answered', r.accepted ? `after ${duration(Date.parse(r.accepted) - started.getTime())}` : 'Never'],
        ['Length', r.accepted ? clock(r.seconds * 1000) : ''],
        ['Ended', r.ended ? new Date(r.ended).toLocaleTimeString() : 'Still running'],
        ['Connection', r.path === 'relay' ? 'Through the server’s relay' : r.path === 'direct' ? 'Directly between the two of you' : ''],
        ['First picture or sound', r.setupMs ? `${(r.setupMs / 1000).toFixed(2)} s after the answer` : ''],
    ];
    return all.filter(([, value]) => value !== '');
}

/** @param {string} term */
function fact(term) {
    const value = h('dd', {});
    const node = h('div', {}, h('dt', {}, term), value);
    return {node, update: (/** @type {[string, string]} */ [, text]) => setText(value, text)};
}
