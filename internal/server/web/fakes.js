// A made-up browser, server and ringer for tests of a call. Importing it puts the browser's parts in place.
import './oldnode.js';

export class FakePeerConnection {
    static all = [];
    constructor(config) {
        Object.assign(this, {config, transceivers: [], connectionState: 'new', signalingState: 'stable', candidates: [], remoteDescription: null, offers: []});
        FakePeerConnection.all.push(this);
    }
    addTransceiver(kind, {direction}) {
        const t = {direction, currentDirection: null, receiver: {track: {kind}}, sender: {track: null, replaceTrack: async track => {
            t.sender.track = track;
        }}};
        this.transceivers.push(t);
        return t;
    }
    getTransceivers() {
        return this.transceivers;
    }
    async createOffer(options) {
        this.offers.push(options);
        return {type: 'offer', sdp: 'v=0 offer'};
    }
    async setLocalDescription(d = {type: 'answer', sdp: 'v=0 answer'}) {
        this.localDescription = d;
        this.signalingState = d.type === 'offer' ? 'have-local-offer' : 'stable';
    }
    async setRemoteDescription(d) {
        if (d.type === 'offer' && this.transceivers.length === 0)
            ['audio', 'video'].forEach(kind => this.addTransceiver(kind, {direction: 'recvonly'}));
        this.remoteDescription = d;
        this.signalingState = d.type === 'answer' ? 'stable' : 'have-remote-offer';
    }
    async addIceCandidate(c) {
        this.candidates.push(c.candidate);
    }
    createDataChannel(label, {protocol}) {
        this.channel = new FakeChannel(label, protocol);
        return this.channel;
    }
    getConfiguration() {
        return this.config;
    }
    setConfiguration(config) {
        this.config = config;
    }
    async getStats() {
        return new Map();
    }
    close() {
        this.closed = true;
    }
    become(connectionState) {
        this.connectionState = connectionState;
        this.onconnectionstatechange?.();
    }
}

/** A data channel; the other end is the test. */
export class FakeChannel {
    readyState = 'connecting';
    bufferedAmount = 0;
    sent = [];
    constructor(label = 'visavis', protocol = 'visavis.1') {
        Object.assign(this, {label, protocol});
    }
    send(text) {
        this.sent.push(text);
    }
    close() {
        this.readyState = 'closed';
    }
    open() {
        this.readyState = 'open';
        this.onopen?.();
    }
    /** What was said, by method. */
    said(method) {
        return this.sent.map(text => JSON.parse(text)).filter(e => e.method === method);
    }
    hear(method, callId, data) {
        this.onmessage({data: JSON.stringify({method, callId, data})});
    }
}

export class FakeTrack {
    static all = [];
    enabled = true;
    constructor(kind) {
        this.kind = kind;
        FakeTrack.all.push(this);
    }
    stop() {
        this.stopped = true;
    }
}

export class FakeStream {
    constructor(tracks = []) {
        this.tracks = tracks;
    }
    addTrack(track) {
        this.tracks.push(track);
    }
    getTracks() {
        return this.tracks;
    }
}

export const asked = [];
/** How often devices were looked for. */
export const looked = {count: 0};
Object.assign(globalThis, {
    document: {hidden: false, addEventListener() {}},
    window: {isSecureContext: true},
    RTCPeerConnection: FakePeerConnection,
    MediaStream: FakeStream,
});
Object.defineProperty(globalThis, 'navigator', {value: {mediaDevices: {
    async enumerateDevices() {
        looked.count++;
        return [];
    },
    async getUserMedia({audio, video}) {
        asked.push([Boolean(audio), Boolean(video)]);
        return new FakeStream([...audio ? [new FakeTrack('audio')] : [], ...video ? [new FakeTrack('video')] : []]);
    },
}}, configurable: true});

const {Calling} = await import('./static/js/calling.js');
const {RequestError} = await import('./static/js/link.js');

export const settle = () => new Promise(resolve => setTimeout(resolve, 5));
export const bob = {id: 'bob', name: 'Bob', kind: 'person', online: true};

/** Forgets what the test before has made. */
export function forget() {
    looked.count = asked.length = FakePeerConnection.all.length = FakeTrack.all.length = 0;
}

export function make(answers = {}) {
    const sent = [];
    const heard = [];
    const link = {
        online: true,
        request: async (method, body) => {
            sent.push([method, body.callId, body.data]);
            const answer = answers[method];
            return {data: typeof answer === 'function' ? await answer(body) : answer ?? {}};
        },
        hurry: () => heard.push(['hurry']),
        lastWord: (method, body) => sent.push(['last', method, body.callId]),
    };
    const ringer = {ring: (incoming, name) => heard.push([incoming ? 'ring' : 'ringback', name]), quiet: () => heard.push(['quiet']), ended: () => heard.push(['over'])};
    const world = {
        link, ringer, settings: {relayOnly: false, cleanSound: true}, person: id => id === 'bob' ? bob : undefined,
        record: async () => ({reason: 'hangup', ended: '2026-03-04T05:06:07Z', endedBy: 'bob'}), changed() {}, recorded: () => heard.push(['recorded']),
    };
    const calling = new Calling(world);
    const push = (code, callId, data = {}) => calling.push({method: '', type: 0, code, callId, data});
    return {calling, sent, heard, link, push, world, answers};
}

/** Cuts the link: what is said of a call now is not heard. */
export function cut({link, answers}) {
    const lost = () => {
        throw new RequestError('offline', 'cut');
    };
    Object.assign(answers, {'Call/Media': lost, 'Call/Hangup': lost});
    link.online = false;
}

/** Ends a cut; what was said until now is forgotten. */
export async function mend({link, answers, sent, calling}, callId) {
    sent.length = 0;
    Object.assign(answers, {'Call/Media': {}, 'Call/Hangup': {}});
    link.online = true;
    await calling.online({callId});
    await settle();
}

export const said = (sent, method) => sent.filter(([m]) => m === method);
export const ice = [{urls: ['stun:x']}];
