/** Keeps the screen on during a call, where the browser can. A page that was hidden loses the lock and takes it again. */

/** @type {WakeLockSentinel|null} */
let lock = null;
let wanted = false;

/** @param {boolean} on */
export async function keepAwake(on) {
    wanted = on;
    if (!on) {
        await lock?.release().catch(() => {});
        lock = null;
        return;
    }
    if (lock && !lock.released || document.hidden || !('wakeLock' in navigator))
        return;
    try {
        lock = await navigator.wakeLock.request('screen');
    } catch {
        return; // low battery, or not allowed: the call goes on
    }
    if (!wanted)
        await keepAwake(false);
}

document.addEventListener('visibilitychange', () => {
    if (wanted)
        keepAwake(true);
});
