// For tests: a clock that moves only when told, and lets promises settle. It stands outside test/, whose files all run.

export const settle = () => new Promise(resolve => setImmediate(resolve));

export class FakeClock {
    now = 0;
    timers = [];
    setTimeout = (f, ms) => {
        const timer = {f, at: this.now + ms};
        this.timers.push(timer);
        return timer;
    };
    clearTimeout = timer => {
        this.timers = this.timers.filter(t => t !== timer);
    };
    async pass(ms) {
        const end = this.now + ms;
        for (;;) {
            const due = this.timers.filter(t => t.at <= end).sort((a, b) => a.at - b.at)[0];
            if (!due)
                break;
            this.now = due.at;
            this.clearTimeout(due);
            due.f();
            await settle();
        }
        this.now = end;
        await settle();
    }
}
