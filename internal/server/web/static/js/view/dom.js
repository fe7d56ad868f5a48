/**
 * The few lines between the views and the document: making elements, and changing only what has changed, so that focus,
 * selection and running video survive every redraw. Text is only ever set as text; there is no markup from strings.
 */
import {initials, tint} from '../words.js';
import {shapes} from './icons.js';

/** @typedef {Node|string|null|undefined|false} Child */
/** @typedef {Record<string, string|number|boolean|null|undefined|((e: any) => void)>} Props */

/**
 * Makes an element. Properties named on… are listeners, testid is what tests find it by, false leaves an attribute out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
        if (typeof value === 'function')
            node.addEventListener(name.slice(2), value);
        else
            attr(node, name === 'testid' ? 'data-testid' : name, value);
    }
    node.append(...children.filter(c => c || c === '').map(c => /** @type {Node|string} */ (c)));
    return node;
}

/**
 * @param {Element} node
 * @param {string} name
 * @param {string|number|boolean|null|undefined} value false, null and undefined: without it
 */
export function attr(node, name, value) {
    if (value === false || value === null || value === undefined)
        node.removeAttribute(name);
    else if (node.getAttribute(name) !== String(value === true ? '' : value))
        node.setAttribute(name, String(value === true ? '' : value));
}

/**
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
    if (node.textContent !== text)
        node.textContent = text;
}

/**
 * @param {HTMLElement} node
 * @param {boolean} shown
 */
export function show(node, shown) {
    if (node.hidden === shown)
        node.hidden = !shown;
}

/**
 * Makes parent's children those of items, in order; an item that stays keeps its element.
 * @template I
 * @param {Element} parent
 * @param {I[]} items
 * @param {(item: I) => string} key
 * @param {(item: I) => {node: Element, update: (item: I) => void}} create
 */
export function list(parent, items, key, create) {
    const before = kept.get(parent) ?? new Map();
    const wanted = new Map(items.map(item => [key(item), item]));
    for (const [k, entry] of before) {
        if (!wanted.has(k))
            entry.node.remove(); // first, so that what stays need not be moved, which would cost it the focus
    }
    const after = new Map();
    /** @type {Element|null} */
    let at = parent.firstElementChild;
    for (const [k, item] of wanted) {
        const entry = before.get(k) ?? create(item);
        after.set(k, entry);
        entry.update(item);
        if (entry.node === at)
            at = at?.nextElementSibling ?? null;
        else
            parent.insertBefore(entry.node, at);
    }
    kept.set(parent, after);
}

/** @type {WeakMap<Element, Map<string, any>>} */
const kept = new WeakMap();

const svg = 'http://www.w3.org/2000/svg';

/**
 * @param {keyof typeof shapes} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
    const node = document.createElementNS(svg, 'svg');
    attr(node, 'viewBox', '0 0 24 24');
    attr(node, 'class', 'icon');
    attr(node, 'aria-hidden', 'true');
    attr(node, 'focusable', 'false');
    draw(node, name);
    return node;
}

/**
 * Makes icon another one.
 * @param {SVGSVGElement} node
 * @param {keyof typeof shapes} name
 */
export function draw(node, name) {
    if (node.dataset.icon === name)
        return;
    node.dataset.icon = name;
    node.replaceChildren(...shapes[name].map(({d, fill, turn}) => {
        const path = document.createElementNS(svg, 'path');
        attr(path, 'd', d);
        attr(path, 'class', fill ? 'filled' : 'drawn');
        attr(path, 'transform', turn && `rotate(${turn} 12 12)`);
        return path;
    }));
}

/**
 * A button that shows an icon and says label to who cannot see it.
 * @param {keyof typeof shapes} name
 * @param {string} label
 * @param {Props} props
 */
export function iconButton(name, label, props) {
    return h('button', {type: 'button', 'aria-label': label, title: label, ...props, class: `round ${props.class ?? ''}`}, icon(name));
}

/**
 * Names what a button does now, for eyes and screen readers.
 * @param {HTMLElement} button
 * @param {string} text
 */
export function label(button, text) {
    attr(button, 'aria-label', text);
    attr(button, 'title', text);
}

/**
 * A person's round picture: initials on a colour that is always the same for the name.
 * @param {string} [size] '', 'large' or 'huge'
 */
export function avatar(size = '') {
    const letters = h('span', {class: 'letters'});
    const node = h('span', {class: `avatar ${size}`, 'aria-hidden': 'true'}, letters);
    /** @param {{name: string}} user */
    const update = ({name}) => {
        attr(node, 'data-tint', tint(name));
        setText(letters, initials(name));
    };
    return {node, update};
}
