/**
 * The own picture in a call: mirrored, and movable to any corner by pointer or arrow keys, where it stays out of the way. It is
 * clicked to be made small and large again.
 */
import {attr, h, show} from './dom.js';

/** Less than this is a click and not a drag; px. */
const dragFrom = 6;

export function selfView() {
    const video = h('video', {testid: 'local-video', autoplay: true, playsinline: true, muted: true, disablepictureinpicture: true, 'aria-label': 'Your own picture'});
    video.muted = true;
    const node = h('div', {
        class: 'self-view', tabindex: 0, role: 'group', 'data-corner': 'bottom-right', 'aria-label': 'Your own picture. Arrow keys move it.',
        onpointerdown: start, onpointermove: move, onpointerup: stop, onpointercancel: stop, onkeydown: keys,
    }, video);
    /** @type {{x: number, y: number, dragged: boolean}|null} */
    let from = null;

    /** @param {PointerEvent} e */
    function start(e) {
        from = {x: e.clientX, y: e.clientY, dragged: false};
        node.setPointerCapture(e.pointerId);
    }

    /** @param {PointerEvent} e */
    function move(e) {
        if (!from)
            return;
        const [dx, dy] = [e.clientX - from.x, e.clientY - from.y];
        if (!from.dragged && Math.hypot(dx, dy) < dragFrom)
            return;
        from.dragged = true;
        attr(node, 'data-dragging', true);
        node.style.transform = `translate(${dx}px, ${dy}px)`;
    }

    /** @param {PointerEvent} e */
    function stop(e) {
        if (!from)
            return;
        if (from.dragged)
            settle(e);
        else if (e.type === 'pointerup')
            node.toggleAttribute('data-small');
        from = null;
    }

    /**
     * Puts it into the corner that is nearest to where it was let go.
     * @param {PointerEvent} e
     */
    function settle(e) {
        const room = /** @type {HTMLElement} */ (node.parentElement).getBoundingClientRect();
        const right = e.clientX - room.left > room.width / 2;
        const bottom = e.clientY - room.top > room.height / 2;
        attr(node, 'data-dragging', false);
        node.style.transform = '';
        attr(node, 'data-corner', `${bottom ? 'bottom' : 'top'}-${right ? 'right' : 'left'}`);
    }

    /** @param {KeyboardEvent} e */
    function keys(e) {
        const [vertical, horizontal] = (node.dataset.corner ?? '').split('-');
        const to = {ArrowUp: `top-${horizontal}`, ArrowDown: `bottom-${horizontal}`, ArrowLeft: `${vertical}-left`, ArrowRight: `${vertical}-right`}[e.key];
        if (!to)
            return;
        e.preventDefault();
        attr(node, 'data-corner', to);
    }

    /**
     * @param {MediaStream|null} stream
     * @param {boolean} mirrored
     */
    function update(stream, mirrored) {
        if (video.srcObject !== stream) {
            video.srcObject = stream;
            if (stream)
                video.play().catch(() => {}); // it is muted, so only a newer stream can have interrupted it
        }
        attr(node, 'data-mirrored', mirrored);
        show(node, stream !== null);
    }
    return {node, update};
}
