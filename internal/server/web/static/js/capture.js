/**
 * This side's microphone, camera and screen for one call. What is missing or refused is said in words, and the call goes on
 * with what there is. A camera that is switched off is stopped, so that its light goes out. calling.js owns one a call.
 */

/**
 * @typedef {object} Owner
 * @property {(kind: 'audio'|'video', track: MediaStreamTrack|null) => void} onTrack what is to be sent now
 * @property {() => void} onChange switches or problems have changed
 */

/** @type {MediaTrackConstraints} */
const picture = {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30}, facingMode: 'user'};

const insecure = 'This page was not opened over HTTPS, so the browser keeps camera and microphone from it. ' +
    'You can still see and hear the other side.';

/** Whether the browser lets this page use devices at all. */
export const devicesAllowed = () => window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Has the browser look for its devices, so that those are at hand when somebody accepts: a browser that has used none yet
 * starts programs of its own for them first, for half a second and more. It opens nothing and asks nobody.
 */
export function lookForDevices() {
    if (devicesAllowed())
        navigator.mediaDevices.enumerateDevices?.().catch(() => {}); // then it takes longer
}

export const canShareScreen = () => window.isSecureContext && Boolean(navigator.mediaDevices?.getDisplayMedia);

export class Capture {
    /** @type {Owner} */ #owner;
    #clean;
    #closed = false;
    /** @type {MediaStreamTrack|null} */ #audio = null;
    /** @type {MediaStreamTrack|null} */ #video = null;
    /** @type {MediaStreamTrack|null} */ #shared = null;
    #muted = false;
    #opening = 0;
    /** @type {Map<string, string>} what is missing, by kind, in words */ #problems = new Map();
    /** @type {MediaStream|null} */ #preview = null;

    /**
     * @param {Owner} owner
     * @param {boolean} clean let the browser suppress noise and control the gain
     */
    constructor(owner, clean) {
        this.#owner = owner;
        this.#clean = clean;
    }

    /** Whether the other side hears this one. */
    get microphone() {
        return Boolean(this.#audio) && !this.#muted;
    }

    get camera() {
        return Boolean(this.#video);
    }

    get screen() {
        return Boolean(this.#shared);
    }

    /** Whether the browser is being asked for a device. */
    get opening() {
        return this.#opening > 0;
    }

    /** What this side sends as a picture, for the self view; a new object whenever it changes. */
    get preview() {
        return this.#preview;
    }

    get problems() {
        return [...this.#problems.values()];
    }

    /** @param {'audio'|'video'} kind */
    track(kind) {
        return kind === 'audio' ? this.#audio : this.#shared ?? this.#video;
    }

    /**
     * Asks for the microphone, and the camera too, in one question to the person; what fails is asked for alone.
     * @param {boolean} video
     */
    async open(video) {
        if (!devicesAllowed()) {
            this.#problems.set('page', insecure);
            this.#owner.onChange();
            return;
        }
        const got = await this.#ask(true, video);
        if (got instanceof MediaStream) {
            this.#take(got);
        } else if (video) {
            const [audio, camera] = await Promise.all([this.#askAlone('audio', got), this.#askAlone('video', got)]);
            this.#takeOr('audio', audio);
            this.#takeOr('video', camera);
        } else {
            this.#takeOr('audio', got);
        }
        this.#owner.onChange();
    }

    /** @param {boolean} on */
    async setMicrophone(on) {
        this.#muted = !on;
        if (this.#audio)
            this.#audio.enabled = on;
        else if (on && devicesAllowed())
            this.#takeOr('audio', await this.#ask(true, false));
        this.#owner.onChange();
    }

    /** @param {boolean} on */
    async setCamera(on) {
        if (!on) {
            this.#video?.stop();
            this.#video = null;
            this.#problems.delete('video');
            this.#sendPicture();
        } else if (!this.#video) {
            if (devicesAllowed())
                this.#takeOr('video', await this.#ask(false, true));
            else
                this.#problems.set('page', insecure);
        }
        this.#owner.onChange();
    }

    /** @param {boolean} on */
    async setScreen(on) {
        if (!on) {
            this.#shared?.stop();
            this.#shared = null;
        } else if (!this.#shared) {
            try {
                const stream = await navigator.mediaDevices.getDisplayMedia({video: {frameRate: {max: 30}}, audio: false});
                const [track] = stream.getVideoTracks();
                if (this.#closed) {
                    track.stop();
                    return;
                }
                track.contentHint = 'detail'; // letters must stay readable; frames may go
                track.onended = () => this.setScreen(false);
                this.#shared = track;
            } catch (err) {
                if (nameOf(err) !== 'NotAllowedError') // closing the browser's own window is an answer, not a fault
                    this.#problems.set('screen', 'The screen cannot be shared.');
            }
        }
        this.#sendPicture();
        this.#owner.onChange();
    }

    /** Lets go of all devices; tracks that the browser is still opening are stopped when they come. */
    close() {
        this.#closed = true;
        for (const track of [this.#audio, this.#video, this.#shared])
            track?.stop();
        this.#audio = this.#video = this.#shared = this.#preview = null;
    }

    /**
     * @param {boolean} audio
     * @param {boolean} video
     * @returns {Promise<MediaStream|unknown>} a stream, or what went wrong
     */
    async #ask(audio, video) {
        this.#opening++;
        try {
            return await navigator.mediaDevices.getUserMedia({
                audio: audio && {echoCancellation: true, noiseSuppression: this.#clean, autoGainControl: this.#clean},
                video: video && picture,
            });
        } catch (err) {
            return err;
        } finally {
            this.#opening--;
        }
    }

    /**
     * Asks for one kind after both together failed. A person who has just said no is not asked again.
     * @param {'audio'|'video'} kind
     * @param {unknown} err
     * @returns {Promise<MediaStream|unknown>}
     */
    async #askAlone(kind, err) {
        if (nameOf(err) === 'NotAllowedError' && await permission(kind) !== 'granted')
            return err;
        return this.#ask(kind === 'audio', kind === 'video');
    }

    /**
     * @param {'audio'|'video'} kind
     * @param {MediaStream|unknown} got
     */
    #takeOr(kind, got) {
        if (got instanceof MediaStream)
            this.#take(got);
        else
            this.#problems.set(kind, words(kind, got));
    }

    /** @param {MediaStream} stream */
    #take(stream) {
        for (const track of stream.getTracks()) {
            if (this.#closed || track.kind === 'audio' && this.#audio || track.kind === 'video' && this.#video) {
                track.stop();
                continue;
            }
            track.onended = () => this.#unplugged(track);
            this.#problems.delete(track.kind);
            if (track.kind === 'audio') {
                track.enabled = !this.#muted;
                this.#audio = track;
                this.#owner.onTrack('audio', track);
            } else {
                this.#video = track;
                this.#sendPicture();
            }
        }
    }

    #sendPicture() {
        if (this.#closed)
            return;
        const track = this.track('video');
        this.#preview = track && new MediaStream([track]);
        this.#owner.onTrack('video', track);
    }

    /**
     * The device went away, or the person took it back: another microphone steps in, for a camera the person decides.
     * @param {MediaStreamTrack} track
     */
    async #unplugged(track) {
        if (track === this.#audio) {
            this.#audio = null;
            this.#owner.onTrack('audio', null);
            this.#takeOr('audio', await this.#ask(true, false));
        } else if (track === this.#video) {
            this.#video = null;
            this.#problems.set('video', 'The camera is gone. Switch it on again when it is back.');
            this.#sendPicture();
        }
        if (!this.#closed)
            this.#owner.onChange();
    }
}

/**
 * @param {'audio'|'video'} kind
 * @returns {Promise<string>} what the person has settled before; 'prompt' where the browser will not say
 */
async function permission(kind) {
    try {
        const name = /** @type {PermissionName} */ (kind === 'audio' ? 'microphone' : 'camera');
        return (await navigator.permissions.query({name})).state;
    } catch {
        return 'prompt';
    }
}

/** @param {unknown} err */
const nameOf = err => err instanceof DOMException || err instanceof Error ? err.name : '';

/**
 * @param {'audio'|'video'} kind
 * @param {unknown} err of getUserMedia
 */
function words(kind, err) {
    const [device, without] = kind === 'audio' ? ['microphone', 'The other side cannot hear you.'] : ['camera', 'The other side cannot see you.'];
    switch (nameOf(err)) {
    case 'NotAllowedError':
        return `The ${device} is blocked for this page. Allow it beside the address bar, then switch it on here. ${without}`;
    case 'NotFoundError': case 'OverconstrainedError':
        return `No ${device} was found. ${without}`;
    case 'NotReadableError': case 'AbortError':
        return `The ${device} does not start; perhaps another program uses it. ${without}`;
    }
    return `The ${device} cannot be used. ${without}`;
}
