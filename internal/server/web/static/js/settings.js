/**
 * What the person chose on this browser, in localStorage; without storage (a private window) it lasts as long as the page.
 */

/**
 * @typedef {object} Settings
 * @property {boolean} relayOnly  media only through the server's relay, so that the other cannot see this one's address
 * @property {boolean} cleanSound the browser's noise suppression and gain control; off for music
 */

const key = 'visavis.settings';

/** @returns {Settings} */
export function loadSettings() {
    let stored;
    try {
        stored = JSON.parse(localStorage.getItem(key) ?? '{}');
    } catch {
        stored = {};
    }
    return {relayOnly: stored?.relayOnly === true, cleanSound: stored?.cleanSound !== false};
}

/** @param {Settings} settings */
export function saveSettings(settings) {
    try {
        localStorage.setItem(key, JSON.stringify(settings));
    } catch {
        // No storage: the choice holds for this page.
    }
}
