/**
 * The lobby and the one-to-one chats of this page: lines, history, what is still on its way, what is unread. session.js owns it
 * and tells it of pushes. A line that could not be sent stays, with its text, to be sent again.
 */
import {method} from './protocol.js';

/** @typedef {import('./protocol.js').ChatMessage} ChatMessage */
/** @typedef {import('./protocol.js').Read} Read */

/**
 * @typedef {object} Line
 * @property {string} key     the same as long as the line lives
 * @property {number} id      0: not yet acknowledged
 * @property {string} fromId
 * @property {string} fromName
 * @property {string} text
 * @property {Date} sent
 * @property {'sent'|'pending'|'failed'} fate
 * @property {string} [why]   failed: for people
 */

/**
 * @typedef {object} Chat
 * @property {string} id      the other person's user id; empty: the lobby
 * @property {Line[]} lines   oldest first
 * @property {number} unread
 * @property {number} newest  id of the newest unread line
 * @property {string} draft   what was typed and not sent
 * @property {boolean} loaded the newest lines are here
 * @property {boolean} loading
 * @property {boolean} more   older lines may exist
 */

/**
 * @typedef {object} World
 * @property {import('./link.js').Link} link
 * @property {() => import('./protocol.js').User} self
 * @property {() => void} changed
 * @property {(id: string) => boolean} seen whether the person has this chat before the eyes
 */

const page = 50;

export class Chats {
    /** @type {Map<string, Chat>} */ #chats = new Map();
    #lastKey = 0;
    /** What has come while the server is asked what is unread; null: it is not asked. @type {ChatMessage[]|null} */ #arrived = null;
    /** @type {World} */ #world;

    /** @param {World} world */
    constructor(world) {
        this.#world = world;
    }

    /**
     * @param {string} id a user id; empty: the lobby
     * @returns {Chat}
     */
    chat(id) {
        let chat = this.#chats.get(id);
        if (!chat)
            this.#chats.set(id, chat = {id, lines: [], unread: 0, newest: 0, draft: '', loaded: false, loading: false, more: false});
        return chat;
    }

    /**
     * A line from the server.
     * @param {ChatMessage} m
     */
    got(m) {
        const chat = this.#chatOf(m);
        if (!this.#add(chat, [m]) || m.fromId === this.#world.self().id)
            return;
        this.#arrived?.push(m);
        count(chat, m.id);
        if (this.#world.seen(chat.id))
            this.read(chat.id);
    }

    /**
     * The person has a chat before the eyes, here; the server tells the person's other devices.
     * @param {string} id
     */
    read(id) {
        const chat = this.chat(id);
        if (chat.unread === 0)
            return;
        chat.unread = 0;
        const data = {with: id || undefined, id: chat.newest};
        this.#world.link.request(method.read, {data}).catch(() => {}); // it is marked again at the next visit, no more
    }

    /**
     * The person has read a chat on another device.
     * @param {Read} read
     */
    gotRead({with: id, id: upTo}) {
        const chat = this.chat(id ?? '');
        const self = this.#world.self().id;
        chat.unread = Math.min(chat.unread, chat.lines.filter(l => l.id > upTo && l.fromId !== self).length);
    }

    /** @param {ChatMessage} m */
    #chatOf(m) {
        return this.chat(m.toId ? m.fromId === this.#world.self().id ? m.toId : m.fromId : '');
    }

    /**
     * The person looks at a chat: its history is wanted.
     * @param {string} id
     */
    want(id) {
        if (!this.chat(id).loaded && this.#world.link.online)
            this.load(id, false);
    }

    /** Another person may sign in on this page. */
    clear() {
        this.#chats.clear();
    }

    /** The link is back: lines may have been missed meanwhile. */
    online() {
        for (const chat of this.#chats.values()) {
            if (chat.loaded)
                this.load(chat.id, false);
        }
        this.#askUnread();
    }

    /** What came while nobody was signed in here is the server's to count. */
    async #askUnread() {
        /** @type {ChatMessage[]} */
        const arrived = this.#arrived = [];
        try {
            const {newest, chats} = /** @type {import('./protocol.js').Unread} */ ((await this.#world.link.request(method.unread)).data);
            for (const chat of this.#chats.values())
                chat.unread = 0;
            for (const {with: id, count: unread, last} of chats ?? []) {
                const chat = this.chat(id ?? '');
                chat.unread = unread;
                chat.newest = Math.max(chat.newest, last);
            }
            for (const m of arrived.filter(m => m.id > newest)) // which the server had not counted yet
                count(this.#chatOf(m), m.id);
        } catch {
            // An older server does not know; what this page has counted stays.
        }
        if (this.#arrived === arrived)
            this.#arrived = null;
        this.#world.changed();
    }

    /**
     * @param {string} id
     * @param {boolean} older than what is here
     */
    async load(id, older) {
        const chat = this.chat(id);
        if (chat.loading)
            return;
        chat.loading = true;
        this.#world.changed();
        try {
            let before = older ? chat.lines.find(l => l.id)?.id : undefined;
            let got = 0;
            while (got < page) { // a reply holds what fits into one message; only an empty one is the end
                const data = {with: id || undefined, before, limit: page - got};
                const reply = await this.#world.link.request(method.history, {data});
                const messages = /** @type {{messages: ChatMessage[]|null}} */ (reply.data).messages ?? [];
                if (!messages.length)
                    break;
                this.#add(chat, messages);
                got += messages.length;
                before = messages[0].id;
            }
            if (older || !chat.loaded)
                chat.more = got >= page;
            chat.loaded = true;
        } catch {
            // The link says so itself; it is asked for again at the next look.
        } finally {
            chat.loading = false;
            this.#world.changed();
        }
    }

    /**
     * @param {string} id
     * @param {string} text
     */
    send(id, text) {
        const {id: fromId, name: fromName} = this.#world.self();
        /** @type {Line} */
        const line = {key: `mine-${++this.#lastKey}`, id: 0, fromId, fromName, text, sent: new Date(), fate: 'pending'};
        this.chat(id).lines.push(line);
        this.#send(id, line);
    }

    /**
     * @param {string} id
     * @param {Line} line that has failed
     */
    again(id, line) {
        line.fate = 'pending';
        this.#send(id, line);
    }

    /**
     * @param {string} id
     * @param {Line} line
     */
    async #send(id, line) {
        this.#world.changed();
        const chat = this.chat(id);
        try {
            const data = {text: line.text};
            const reply = await this.#world.link.request(id ? method.sendTo : method.sendToAll, {toId: id || undefined, type: 1, data});
            const m = /** @type {ChatMessage} */ (reply.data);
            chat.lines = chat.lines.filter(l => l === line || l.id !== m.id); // its push may have been here first
            Object.assign(line, {id: m.id, sent: new Date(m.sent), fate: 'sent'});
            sort(chat);
        } catch (err) {
            line.fate = 'failed';
            line.why = err instanceof Error ? err.message : '';
        }
        this.#world.changed();
    }

    /**
     * @param {Chat} chat
     * @param {ChatMessage[]} messages
     * @returns {boolean} whether one was new
     */
    #add(chat, messages) {
        const known = new Set(chat.lines.map(l => l.id));
        const fresh = messages.filter(m => !known.has(m.id));
        for (const {id, fromId, fromName, text, sent} of fresh)
            chat.lines.push({key: String(id), id, fromId, fromName, text, sent: new Date(sent), fate: 'sent'});
        if (fresh.length)
            sort(chat);
        return fresh.length > 0;
    }
}

/**
 * @param {Chat} chat
 * @param {number} id of a line that is unread
 */
function count(chat, id) {
    chat.unread++;
    chat.newest = Math.max(chat.newest, id);
}

/**
 * Ids grow with time; what is not acknowledged comes last, in its own order.
 * @param {Chat} chat
 */
function sort(chat) {
    const rank = (/** @type {Line} */ l) => l.id || Number.MAX_SAFE_INTEGER;
    chat.lines.sort((a, b) => rank(a) - rank(b));
}
