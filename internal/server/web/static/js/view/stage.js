/**
 * The page of a call from dialling to its end: the other's picture over all of it, the own one in a corner, and what one needs
 * in reach at the bottom, which steps back while nobody moves.
 */
import {canShareScreen} from '../capture.js';
import {hasPeer} from '../machine.js';
import {hasStage} from '../session.js';
import {clock, phaseWords} from '../words.js';
import {attr, avatar, draw, h, icon, iconButton, label, setText, show} from './dom.js';
import {setUnread} from './people.js';
import {selfView} from './selfview.js';

/** @typedef {import('../session.js').Session} Session */

/** Controls step back after so long without a movement. */
const idleAfterMs = 3500;
/** A picture whose shape is within this factor of the stage's fills it; another one is shown whole. */
const cropAtMost = 1.5;

/**
 * @param {Session} session
 * @param {ReturnType<typeof import('./chat.js').chatView>} chat shared with the home page
 */
export function stageView(session, chat) {
    const {calling} = session;
    const remote = h('video', {
        class: 'remote', testid: 'remote-video', autoplay: true, playsinline: true,
        onloadeddata: () => session.changed(), onresize: () => session.changed(), onemptied: () => session.changed(),
    });
    const face = avatar('huge');
    const name = h('p', {class: 'poster-name', dir: 'auto'});
    const status = h('p', {class: 'lead'});
    const poster = h('div', {class: 'poster'}, h('div', {class: 'pulse'}, face.node), name, status);
    const self = selfView();
    const pill = pillView(session);
    const notes = notesView(session);
    const hear = h('button', {type: 'button', class: 'primary hear', hidden: true, onclick: play}, icon('sound'), 'Turn on sound');
    const bar = barView(session, toggleFullScreen);
    const chatSlot = h('div', {class: 'panel-slot'});
    const panel = h('aside', {class: 'panel', 'aria-label': 'Chat'},
        h('header', {class: 'panel-head'}, h('h2', {}, 'Chat'), iconButton('close', 'Close the chat', {class: 'quiet', onclick: () => session.showCallChat(false)})), chatSlot);
    const picture = h('div', {class: 'picture'}, remote, poster, h('div', {class: 'top'}, pill.node, notes.node), hear, self.node, bar.node);
    const node = h('main', {class: 'stage', hidden: true, tabindex: -1, 'aria-label': 'Call', onpointermove: wake, onpointerdown: touched, onkeydown: keys, onfocusin: wake},
        picture, panel);

    /** @type {any} */
    let idleTimer = null;
    /** @type {any} */
    let second = null;

    function wake() {
        attr(node, 'data-idle', false);
        clearTimeout(idleTimer);
        idleTimer = setTimeout(() => {
            const busy = session.callChat || bar.node.querySelector(':focus-visible') || bar.node.matches(':hover');
            attr(node, 'data-idle', !busy && node.hasAttribute('data-picture') && calling.state.phase === 'active');
        }, idleAfterMs);
    }

    /**
     * The first tap of a finger brings the controls back and does nothing else, for they could not be seen.
     * @param {PointerEvent} e
     */
    function touched(e) {
        if (e.pointerType === 'touch' && node.hasAttribute('data-idle')) {
            const swallow = (/** @type {Event} */ click) => {
                click.stopPropagation();
                click.preventDefault();
            };
            node.addEventListener('click', swallow, {capture: true, once: true});
            setTimeout(() => node.removeEventListener('click', swallow, {capture: true}), 500);
        }
        wake();
    }

    /** @param {KeyboardEvent} e */
    function keys(e) {
        wake();
        if (e.key === 'Escape' && session.callChat) {
            session.showCallChat(false);
            bar.chat.focus();
            return;
        }
        const typing = e.target instanceof HTMLTextAreaElement || e.target instanceof HTMLInputElement;
        if (typing || e.ctrlKey || e.altKey || e.metaKey || e.repeat)
            return;
        const act = {m: bar.mute, v: bar.camera, c: bar.chat, f: bar.full}[e.key.toLowerCase()];
        act?.click();
    }

    function toggleFullScreen() {
        const done = document.fullscreenElement ? document.exitFullscreen() : node.requestFullscreen();
        done.catch(() => {}); // not allowed here: nothing is lost
    }

    /** Sound needs the person's touch in some browsers; then a button asks for it. */
    async function play() {
        try {
            await remote.play();
            show(hear, false);
        } catch (err) {
            if (err instanceof DOMException && err.name === 'NotAllowedError')
                show(hear, true);
        }
    }

    function shape() {
        const {videoWidth, videoHeight, clientWidth, clientHeight} = remote;
        const ratio = videoWidth / videoHeight / (clientWidth / clientHeight || 1);
        const near = Math.max(ratio, 1 / ratio) <= cropAtMost;
        attr(node, 'data-fit', near && !calling.theirs.screen ? 'fill' : 'whole');
    }

    function update() {
        const {state, peer, theirs, capture} = calling;
        const shown = hasStage(state.phase);
        const wasHidden = node.hidden;
        show(node, shown);
        if (remote.srcObject !== calling.remote) {
            remote.srcObject = calling.remote;
            show(hear, false);
            if (calling.remote)
                play();
        }
        if (!shown) {
            self.update(null, false);
            leave(wasHidden);
            return;
        }
        attr(node, 'data-phase', state.phase);
        attr(node, 'data-picture', remote.videoWidth > 0 && (theirs.camera || Boolean(theirs.screen)));
        const paused = Boolean(theirs.paused) && state.phase === 'active';
        attr(node, 'data-paused', paused);
        attr(remote, 'aria-label', `Picture of ${peer.name}`);
        face.update(peer);
        setText(name, peer.name);
        setText(status, state.phase === 'active' ? theirs.camera || theirs.screen ? paused ? 'Picture paused: the line is too slow' : 'Waiting for the picture…' : 'Camera is off' : phaseWords(state, peer.name, calling.devices));
        self.update(capture?.preview ?? null, !capture?.screen);
        shape();
        pill.update();
        notes.update();
        bar.update();
        attr(node, 'data-chat', session.callChat);
        show(panel, session.callChat);
        if (session.callChat) {
            if (chat.node.parentNode !== chatSlot)
                chatSlot.append(chat.node);
            chat.update(state.peerId);
        }
        if (wasHidden) {
            node.focus();
            wake();
            second = setInterval(() => pill.update(), 1000);
        }
    }

    /** @param {boolean} already */
    function leave(already) {
        if (already)
            return;
        clearInterval(second);
        clearTimeout(idleTimer);
        attr(node, 'data-idle', false);
        if (document.fullscreenElement === node)
            document.exitFullscreen().catch(() => {});
    }
    new ResizeObserver(shape).observe(remote);
    document.addEventListener('fullscreenchange', () => session.changed());
    return {node, update};
}

/**
 * Who, how long, and how good the connection is.
 * @param {Session} session
 */
function pillView({calling}) {
    const dot = h('span', {class: 'dot'});
    const name = h('h1', {class: 'pill-name', dir: 'auto'});
    const time = h('span', {class: 'pill-time', role: 'timer'});
    const muted = icon('micOff');
    const quality = h('span', {class: 'pill-note'});
    const node = h('div', {class: 'pill'}, dot, name, muted, time, quality);

    function update() {
        const {state, peer, since, theirs, quality: q} = calling;
        const weak = state.phase === 'active' && (q.lossPercent > 5 || q.rttMs > 400);
        attr(dot, 'data-state', state.phase === 'active' ? weak ? 'weak' : 'good' : state.phase === 'reconnecting' ? 'bad' : 'waiting');
        setText(name, peer.name);
        attr(muted, 'hidden', theirs.microphone || !since);
        setText(time, since ? clock(Date.now() - since) : '');
        setText(quality, state.phase === 'reconnecting' ? 'Reconnecting…' : weak ? 'Weak connection' : '');
        show(quality, quality.textContent !== '');
        const path = {direct: 'Direct connection', relay: 'Through the server’s relay', '': ''}[q.path];
        attr(node, 'data-path', q.path || null);
        attr(node, 'title', path && `${path}${q.rttMs ? `, ${q.rttMs} ms there and back` : ''}`);
    }
    return {node, update};
}

/**
 * What is missing, in words, until it is read.
 * @param {Session} session
 */
function notesView(session) {
    const text = h('span', {});
    /** @type {Set<string>} */
    const read = new Set();
    /** @type {string[]} */
    let news = [];
    const close = iconButton('close', 'Got it', {class: 'quiet', onclick: () => {
        for (const problem of news)
            read.add(problem);
        session.changed();
    }});
    const node = h('div', {class: 'note', role: 'status', testid: 'notice'}, icon('info'), text, close);

    function update() {
        const problems = session.calling.capture?.problems ?? [];
        const goesOn = hasPeer(session.calling.state) ? 'The server cannot be reached; the call itself goes on.' : 'The server cannot be reached. Trying again…';
        const offline = session.online ? [] : [goesOn];
        news = [...offline, ...problems].filter(p => !read.has(p));
        setText(text, news.join(' '));
        show(node, news.length > 0);
    }
    return {node, update};
}

/**
 * @param {Session} session
 * @param {() => void} toggleFullScreen
 */
function barView(session, toggleFullScreen) {
    const {calling} = session;
    const button = (/** @type {Parameters<typeof icon>[0]} */ sign, /** @type {string} */ testid, /** @type {() => void} */ onclick) => iconButton(sign, '', {testid, onclick});
    const mute = button('mic', 'mute', () => calling.capture?.setMicrophone(!calling.capture?.microphone));
    const camera = button('camera', 'camera', () => calling.capture?.setCamera(!calling.capture?.camera));
    const screen = button('screen', 'screen', () => calling.capture?.setScreen(!calling.capture?.screen));
    const unread = h('span', {class: 'badge'});
    const chat = button('chat', 'call-chat', () => session.showCallChat(!session.callChat));
    chat.append(unread);
    const full = button('expand', 'fullscreen', toggleFullScreen);
    const hangup = iconButton('hangup', 'Hang up', {class: 'danger', testid: 'hangup', onclick: () => calling.hangup()});
    const node = h('div', {class: 'bar', role: 'toolbar', 'aria-label': 'Call'}, mute, camera, screen, chat, full, hangup);

    /**
     * @param {HTMLButtonElement} b
     * @param {Parameters<typeof icon>[0]} sign
     * @param {string} text
     */
    const set = (b, sign, text) => {
        draw(/** @type {SVGSVGElement} */ (b.firstElementChild), sign);
        label(b, text);
    };

    function update() {
        const {capture, state} = calling;
        const [speaks, seen, shares] = [Boolean(capture?.microphone), Boolean(capture?.camera), Boolean(capture?.screen)];
        const opening = Boolean(capture?.opening);
        set(mute, speaks || opening ? 'mic' : 'micOff', speaks ? 'Mute (M)' : 'Unmute (M)');
        attr(mute, 'aria-pressed', String(!speaks));
        attr(mute, 'data-off', !speaks && !opening);
        set(camera, seen || opening && state.video ? 'camera' : 'cameraOff', seen ? 'Switch the camera off (V)' : 'Switch the camera on (V)');
        attr(camera, 'aria-pressed', String(!seen));
        attr(camera, 'data-off', !seen && !opening);
        set(screen, 'screen', shares ? 'Stop sharing the screen' : 'Share the screen');
        attr(screen, 'aria-pressed', String(shares));
        attr(screen, 'data-on', shares);
        show(screen, canShareScreen());
        const news = session.chats.chat(state.peerId).unread;
        label(chat, news ? `Chat (C), ${news} new` : 'Chat (C)');
        attr(chat, 'aria-expanded', String(session.callChat));
        attr(chat, 'data-on', session.callChat);
        setUnread(unread, news);
        const whole = document.fullscreenElement !== null;
        set(full, whole ? 'shrink' : 'expand', whole ? 'Leave full screen (F)' : 'Full screen (F)');
        show(full, document.fullscreenEnabled);
    }
    return {node, update, mute, camera, chat, full};
}
