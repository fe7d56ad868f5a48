/**
 * What a call has to say to the server although the link may be cut: it is said again when the link is back, for as long as
 * it still matters. The server takes a repeated message for the first one. calling.js owns one.
 */
import {RequestError} from './link.js';

/** @typedef {{toId?: string, callId?: string, data?: object}} Body */

export class Says {
    #link;
    #matters;
    /** A last word on a call that did not get through. @type {{name: string, body: Body}|null} */ #unsaid = null;
    /** Those who wait for the link. @type {(() => void)[]} */ #waiting = [];

    /**
     * @param {import('./link.js').Link} link
     * @param {(callId: string) => boolean} matters whether that call is still the present one
     */
    constructor(link, matters) {
        this.#link = link;
        this.#matters = matters;
    }

    /** The link is back. */
    online() {
        const unsaid = this.#unsaid;
        this.#unsaid = null;
        if (unsaid)
            this.bid(unsaid.name, unsaid.body);
        for (const go of this.#waiting.splice(0))
            go();
    }

    /** Another person is about to sign in. */
    forget() {
        this.#unsaid = null;
        for (const go of this.#waiting.splice(0))
            go();
    }

    /**
     * Asks what the call cannot do without, and gives the reply's data.
     * @param {string} id of the call
     * @param {string} name of the method
     * @param {Body} body
     * @returns {Promise<any>}
     */
    async insist(id, name, body) {
        for (;;) {
            try {
                return (await this.#link.request(name, body)).data;
            } catch (err) {
                if (!cut(err))
                    throw err;
                if (!this.#link.online && this.#matters(id))
                    await new Promise(resolve => this.#waiting.push(() => resolve(undefined)));
                if (!this.#matters(id))
                    throw err; // the call was given up meanwhile
            }
        }
    }

    /**
     * Says a last word on a call.
     * @param {string} name
     * @param {Body} body
     */
    async bid(name, body) {
        try {
            await this.#link.request(name, body);
        } catch (err) {
            if (cut(err))
                this.#unsaid = {name, body};
        }
    }

    /**
     * Says something the call can live without; when a description is lost, the connection's own timeouts speak.
     * @param {string} callId
     * @param {string} name
     * @param {object} data
     */
    tell(callId, name, data) {
        this.insist(callId, name, {callId, data}).catch(err => {
            if (this.#matters(callId))
                console.warn(`${name}: ${err.message}`);
        });
    }
}

/** @param {unknown} err */
const cut = err => err instanceof RequestError && (err.code === 'offline' || err.code === 'timeout');

/**
 * The end reason of a call whose invite or accept the server did not take. Codes that are no end reason stay as they are.
 * @param {unknown} err
 */
export function refusal(err) {
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
