/** Where in the page the person is, kept in the address after the #, so that back and reload do what they should. */

/**
 * @typedef {{page: 'people'} | {page: 'lobby'} | {page: 'chat', id: string} | {page: 'calls'} | {page: 'call', id: string} | {page: 'account'}} Route
 */

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parseRoute(hash) {
    const [page = '', id = ''] = hash.replace(/^#\/?/, '').split('/').map(decode);
    switch (page) {
    case 'lobby':
        return {page: 'lobby'};
    case 'with':
        return id ? {page: 'chat', id} : {page: 'people'};
    case 'calls':
        return id ? {page: 'call', id} : {page: 'calls'};
    case 'account':
        return {page: 'account'};
    }
    return {page: 'people'};
}

/** @param {string} s */
function decode(s) {
    try {
        return decodeURIComponent(s);
    } catch {
        return '';
    }
}

/** @param {Route} route */
export function hashOf(route) {
    switch (route.page) {
    case 'people':
        return '#/people';
    case 'lobby':
        return '#/lobby';
    case 'chat':
        return `#/with/${encodeURIComponent(route.id)}`;
    case 'calls':
        return '#/calls';
    case 'call':
        return `#/calls/${encodeURIComponent(route.id)}`;
    case 'account':
        return '#/account';
    }
}

/**
 * The secret of an invitation, from a link (https://host/#invite=…), from its part after the #, or as it is. Empty: there is none.
 * @param {string} text
 */
export function inviteIn(text) {
    const [, part] = /#(.*)$/.exec(text.trim()) ?? [];
    if (part === undefined)
        return /^[\w-]+$/.test(text.trim()) ? text.trim() : '';
    return new URLSearchParams(part).get('invite')?.trim() ?? '';
}
