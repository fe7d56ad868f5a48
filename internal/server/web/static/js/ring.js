/**
 * Makes a call noticed: ringtone or ringback from oscillators, vibration, the page's title, and a system notification when the
 * page is out of sight. Browsers keep sound back until the person has touched the page once; the ringer starts
 * its sound at the first touch, and until then the other signs must do.
 */

const titleEveryMs = 1000;

/** Notes of the ringtone: start in seconds, frequency in Hz. Two rising thirds, the second an answer to the first. */
const melody = [[0, 659.26], [0.16, 783.99], [0.32, 987.77], [0.8, 783.99], [0.96, 987.77], [1.12, 1174.66]];
const melodyEveryMs = 2600;
/** The ringback of most of Europe: 425 Hz, one second on, four off. */
const ringbackHz = 425;
const ringbackEveryMs = 5000;

export class Ringer {
    /** @type {AudioContext|null} */ #audio = null;
    /** @type {GainNode|null} */ #out = null;
    /** @type {any} */ #tone = null;
    /** @type {any} */ #title = null;
    /** @type {Notification|null} */ #note = null;
    #plainTitle = document.title;

    constructor() {
        for (const touch of ['pointerdown', 'keydown'])
            document.addEventListener(touch, () => this.#wake(), {capture: true, passive: true});
    }

    /**
     * Rings until quiet. Calling again begins anew.
     * @param {boolean} incoming
     * @param {string} name of the other person
     */
    ring(incoming, name) {
        this.quiet();
        this.#wake();
        const play = () => incoming ? this.#playMelody() : this.#playRingback();
        play();
        this.#tone = setInterval(play, incoming ? melodyEveryMs : ringbackEveryMs);
        if (!incoming)
            return;
        this.#blink(`${name} is calling`);
        this.#notify(name);
    }

    quiet() {
        clearInterval(this.#tone);
        clearInterval(this.#title);
        this.#tone = this.#title = null;
        document.title = this.#plainTitle;
        this.#note?.close();
        this.#note = null;
        navigator.vibrate?.(0);
        if (this.#out && this.#audio) {
            const {currentTime} = this.#audio;
            this.#out.gain.setTargetAtTime(0, currentTime, 0.02); // a cut wave clicks
            this.#out = null;
        }
    }

    /** A short sign that the call is over. */
    ended() {
        this.#play(0, 480, 0.12, 0.05);
        this.#play(0.16, 360, 0.2, 0.05);
        this.#out = null;
    }

    /** Makes or resumes the sound; before the first touch of the page the browser lets it stay suspended. */
    #wake() {
        this.#audio ??= new AudioContext();
        if (this.#audio.state === 'suspended')
            this.#audio.resume().catch(() => {});
    }

    #playMelody() {
        for (const [at, hz] of melody) {
            this.#play(at, hz, 0.5, 0.16);
            this.#play(at, hz * 2, 0.25, 0.03);
        }
        navigator.vibrate?.([350, 150, 350]);
    }

    #playRingback() {
        this.#play(0, ringbackHz, 1, 0.05);
    }

    /**
     * One note with a soft beginning and end.
     * @param {number} at seconds from now
     * @param {number} hz
     * @param {number} seconds
     * @param {number} loud 0 to 1
     */
    #play(at, hz, seconds, loud) {
        const audio = this.#audio;
        if (audio?.state !== 'running')
            return;
        if (!this.#out) {
            this.#out = audio.createGain();
            this.#out.connect(audio.destination);
        }
        const from = audio.currentTime + at + 0.01;
        const wave = new OscillatorNode(audio, {type: 'sine', frequency: hz});
        const envelope = new GainNode(audio, {gain: 0});
        envelope.gain.setValueAtTime(0, from);
        envelope.gain.linearRampToValueAtTime(loud, from + 0.015);
        envelope.gain.setTargetAtTime(0, from + seconds * 0.6, seconds * 0.14);
        wave.connect(envelope).connect(this.#out);
        wave.start(from);
        wave.stop(from + seconds * 1.5);
    }

    /** @param {string} words */
    #blink(words) {
        let on = true;
        const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
        const turn = () => {
            document.title = on || still ? `☎ ${words}` : this.#plainTitle;
            on = !on;
        };
        turn();
        this.#title = setInterval(turn, titleEveryMs);
    }

    /** @param {string} name */
    #notify(name) {
        if (!document.hidden || !('Notification' in window) || Notification.permission !== 'granted')
            return;
        try {
            this.#note = new Notification(`${name} is calling`, {body: 'Visavis', icon: '/icon-192.png', tag: 'call', requireInteraction: true});
            this.#note.onclick = () => window.focus();
        } catch {
            // Android knows notifications of service workers only.
        }
    }
}
