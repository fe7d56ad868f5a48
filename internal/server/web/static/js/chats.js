/**
 * The lobby and the one-to-one chats of this page: lines, history, what is still on its way, what is unread. session.js owns it
 * and tells it of pushes. A line that could not be sent stays, with its text, to be sent again.
 */
import {method} from './protocol.js';

/** @typedef {import('./protocol.js').ChatMessage} ChatMessage */

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
            this.#chats.set(id, chat = {id, lines: [], unread: 0, loaded: false, loading: false, more: false});
        return chat;
    }

    /**
     * A line from the server.
     * @param {ChatMessage} m
     */
    got(m) {
        const self = this.#world.self().id;
        const with_ = m.toId ? m.fromId === self ? m.toId : m.fromId : '';
        const chat = this.chat(with_);
        const news = this.#add(chat, [m]);
        if (news && m.fromId !== self && !this.#world.seen(with_))
            chat.unread++;
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
 * Ids grow with time; what is not acknowledged comes last, in its own order.
 * @param {Chat} chat
 */
function sort(chat) {
    const rank = (/** @type {Line} */ l) => l.id || Number.MAX_SAFE_INTEGER;
    chat.lines.sort((a, b) => rank(a) - rank(b));
}
