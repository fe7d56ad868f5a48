/**
 * The connections of a call that are made while it rings, with up to three of the other's devices: a head start that
 * nothing else depends on. One of them may be kept when somebody accepts; the others are closed. calling.js owns one.
 */

/** @typedef {import('./connection.js').Connection} Connection */

/** How many of the other's devices are connected while it rings. */
const maxEarly = 3;

export class Early {
    /** @type {Connection[]} */ #all = [];
    /** The one that goes on. @type {Connection|null} */ kept = null;
    /** Whether the own offer must say that the connection which the callee has kept is no more. */
    fresh = false;
    /** Whether the present connection was made while it rang. */
    was = false;

    /**
     * Whether there may be one with that device.
     * @param {string} device
     */
    room(device) {
        return !this.of(device) && this.#all.length < maxEarly;
    }

    /** @param {Connection} c */
    add(c) {
        this.#all.push(c);
    }

    /**
     * @param {string} device
     * @returns {Connection|null}
     */
    of(device) {
        return this.#all.find(c => c.device === device) ?? null;
    }

    /**
     * Somebody has accepted, with that device's connection.
     * @param {string} device
     */
    keep(device) {
        this.kept = this.of(device);
        this.fresh = !this.kept;
    }

    /** Gives the one that was kept, if it lives, to be the call's own, and closes the others. */
    adopt() {
        const kept = this.kept && this.#all.includes(this.kept) ? this.kept : null;
        this.close(kept);
        this.was = Boolean(kept);
        return kept;
    }

    /** @param {Connection} c one that has failed */
    drop(c) {
        c.peer.close();
        this.#all = this.#all.filter(o => o !== c);
        if (this.kept === c)
            this.kept = null;
    }

    /** @param {Connection|null} [but] */
    close(but = null) {
        for (const c of this.#all) {
            if (c !== but)
                c.peer.close();
        }
        this.#all = [];
    }
}
