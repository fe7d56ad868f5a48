// Runs before the page's own code and writes down when pictures and sound pass it, by the machine's clock. It reads the
// marker of internal/media/marker.go from two rows of each picture's luma, and the loudness of both sounds each 5 ms. The
// camera's size is fixed here, so that both clients send the same. With "quiet" only that is done: CPU is measured so.
window.visavisBench = (quiet => {
    const log = {captured: [], presented: [], accepted: 0, up: 0, sounds: {local: [], remote: []}, stats: [], planes: [], errors: []};
    const wall = ms => (performance.timeOrigin + ms) / 1000;
    const failed = (what, err) => {
        if (log.errors.length < 20)
            log.errors.push(`${what}: ${err?.message ?? err}`);
    };
    const gum = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async constraints => {
        if (constraints.video)
            constraints = {...constraints, video: {width: 640, height: 360, frameRate: 30}};
        const stream = await gum(constraints);
        if (!quiet)
            own(stream);
        return stream;
    };
    addEventListener('click', e => {
        if (e.target.closest?.('[data-testid="accept"]'))
            log.accepted = wall(performance.now());
    }, true);
    const api = {log, planesEvery: 0, stop: async hangUp => {
        // First what ends the load: two browsers on a small machine leave no time for a long answer while they call.
        if (hangUp)
            document.querySelector('[data-testid="hangup"]').click();
        api.planesEvery = 0;
        return JSON.stringify(log);
    }};
    if (quiet)
        return api;

    function crc8(bytes) {
        let c = 0xA5;
        for (const b of bytes) {
            c ^= b;
            for (let i = 0; i < 8; i++)
                c = c & 0x80 ? (c << 1 ^ 0x07) & 0xFF : c << 1 & 0xFF;
        }
        return c;
    }

    /** The marker's number, -1 when unreadable. Decoders and the fake camera give I420 or NV12: luma comes first in both. */
    const room = new Uint8Array(2 * 2 * 2 * 4096);
    async function marker(frame) {
        const r = frame.visibleRect;
        const y = Math.floor((r.height - r.height / 24) / 2) * 2;
        const layout = await frame.copyTo(room, {rect: {x: r.x, y: r.y + y, width: r.width, height: 2}});
        let bits = 0n;
        for (let i = 0; i < 32; i++) {
            const x = Math.floor((i + 0.5) * r.width / 32);
            let sum = 0;
            for (let dx = -1; dx <= 1; dx++)
                sum += room[layout[0].offset + x + dx] + room[layout[0].offset + layout[0].stride + x + dx];
            bits = bits << 1n | (sum / 6 > 125 ? 1n : 0n);
        }
        const n = Number(bits), bytes = [n >>> 24 & 255, n >>> 16 & 255, n >>> 8 & 255];
        return crc8(bytes) === (n & 255) ? bytes[1] << 8 | bytes[2] : -1;
    }

    let owned = false;
    function own(stream) {
        const [track] = stream.getVideoTracks(), [sound] = stream.getAudioTracks();
        if (sound)
            listen(new MediaStream([sound]), log.sounds.local);
        if (!track || owned)
            return;
        owned = true;
        const reader = new MediaStreamTrackProcessor({track: track.clone()}).readable.getReader();
        (async () => {
            for (;;) {
                const {value: frame, done} = await reader.read();
                if (done)
                    return;
                const t = wall(performance.now());
                log.captured.push([t, await marker(frame)]);
                frame.close();
            }
        })().catch(err => failed('own picture', err));
    }

    let context = null;
    async function listen(stream, into) {
        try {
            if (!context) {
                const started = new AudioContext({sampleRate: 48000, latencyHint: 'interactive'});
                context = started.audioWorklet.addModule(URL.createObjectURL(new Blob([worklet], {type: 'text/javascript'}))).then(() => started);
            }
            const c = await context;
            c.resume();
            const node = new AudioWorkletNode(c, 'loudness', {numberOfOutputs: 0});
            node.port.onmessage = e => into.push(e.data);
            c.createMediaStreamSource(stream).connect(node);
        } catch (err) {
            failed('sound', err);
        }
    }
    const worklet = `registerProcessor('loudness', class extends AudioWorkletProcessor {
        sum = 0; count = 0; block = []; begun = 0;
        process(inputs) {
            const pcm = inputs[0][0];
            if (this.block.length === 0 && this.count === 0)
                this.begun = [currentFrame / sampleRate, Date.now() / 1000];
            for (let i = 0; i < 128; i++) {
                const v = pcm ? pcm[i] : 0;
                this.sum += v * v;
                if (++this.count === 240) {
                    this.block.push(Math.round(32768 * Math.sqrt(this.sum / 240)));
                    this.sum = this.count = 0;
                }
            }
            if (this.block.length >= 200) {
                this.port.postMessage([...this.begun, this.block]);
                this.block = [];
            }
            return true;
        }
    })`;

    const peers = [];
    const Native = RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
        constructor(...args) {
            super(...args);
            peers.push(this);
            this.addEventListener('connectionstatechange', () => {
                if (this.connectionState === 'connected' && !log.up)
                    log.up = wall(performance.now());
            });
            this.addEventListener('track', e => {
                if (e.track.kind === 'audio')
                    listen(new MediaStream([e.track]), log.sounds.remote);
            });
        }
    };
    // For whoever asks why something comes late: what waited, should have waited, and would have without the other kind. Totals, s.
    const buffer = s => ({
        held: s.jitterBufferDelay, aim: s.jitterBufferTargetDelay, least: s.jitterBufferMinimumDelay, out: s.jitterBufferEmittedCount,
    });
    setInterval(async () => {
        const pc = peers.at(-1);
        if (!pc || pc.connectionState === 'closed')
            return;
        const row = {t: wall(performance.now())};
        for (const s of (await pc.getStats()).values()) {
            if (s.type === 'inbound-rtp' && s.kind === 'audio')
                row.concealed = s.concealedSamples, row.samples = s.totalSamplesReceived, row.sound = buffer(s);
            else if (s.type === 'inbound-rtp' && s.kind === 'video')
                row.freezes = s.freezeCount, row.frozen = s.totalFreezesDuration, row.decoded = s.framesDecoded, row.codec = s.codecId, row.picture = buffer(s);
            else if (s.type === 'candidate-pair' && s.nominated && s.availableOutgoingBitrate)
                row.estimate = s.availableOutgoingBitrate;
            else if (s.type === 'outbound-rtp' && s.kind === 'video')
                row.target = s.targetBitrate, row.width = s.frameWidth, row.height = s.frameHeight;
        }
        log.stats.push(row);
    }, 1000);

    function watch(video) {
        let looked = 0;
        const next = (now, meta) => {
            video.requestVideoFrameCallback(next);
            if (!(video.srcObject instanceof MediaStream))
                return;
            const row = [wall(meta.presentationTime ?? now), -1, meta.rtpTimestamp ?? 0, meta.presentedFrames];
            log.presented.push(row);
            let frame;
            try {
                frame = new VideoFrame(video, {timestamp: 0});
            } catch (err) {
                failed('picture', err);
                return;
            }
            const plane = api.planesEvery > 0 && now - looked >= api.planesEvery;
            if (plane)
                looked = now;
            marker(frame).then(n => { row[1] = n; return plane ? keep(frame, n) : null; })
                .catch(err => failed('marker', err)).finally(() => frame.close());
        };
        video.requestVideoFrameCallback(next);
    }

    /** Keeps the luma of a whole picture, for its quality. */
    async function keep(frame, n) {
        const r = frame.visibleRect;
        const b = new Uint8Array(frame.allocationSize());
        const [y] = await frame.copyTo(b);
        const luma = new Uint8Array(r.width * r.height);
        for (let i = 0; i < r.height; i++)
            luma.set(b.subarray(y.offset + i * y.stride, y.offset + i * y.stride + r.width), i * r.width);
        let text = '';
        for (let i = 0; i < luma.length; i += 32768)
            text += String.fromCharCode(...luma.subarray(i, i + 32768));
        log.planes.push({n, t: wall(performance.now()), w: r.width, h: r.height, luma: btoa(text)});
    }

    const seek = setInterval(() => {
        const video = document.querySelector('[data-testid="remote-video"]');
        if (video) {
            clearInterval(seek);
            watch(video);
        }
    }, 20);
    return api;
})(VISAVIS_QUIET);
