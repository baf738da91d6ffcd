/** What is said to the gateway: whether a terminal printed since the last word, and how many tasks run. */
export interface Word {
    readonly output: boolean;
    readonly tasks: number;
}

/** How often the gateway hears of us, in milliseconds; after three times as long without a word it no longer knows. */
export const EVERY = 30_000;
/** Shortest time between two words, in milliseconds: a terminal that prints all the time says no more than one that does so once. */
export const AT_MOST_EVERY = 5_000;
/**
 * How long what a terminal prints is taken for its answer to having been resized, in milliseconds. A tab that reconnects
 * resizes its terminals, and shells draw their prompt anew: that is no use of the workspace.
 */
export const REDRAW = 1_000;

/** Time, so that tests need not wait for it. */
export interface Clock {
    now(): number;
    later(milliseconds: number, run: () => void): () => void;
}

/**
 * Says to the gateway what happens here: every half minute, and at once when use begins. A word that did not arrive is
 * made good by the next one.
 */
export class Activity {
    private output = false;
    private spoke = Number.NEGATIVE_INFINITY;
    /** Whether the last word said that something happens. */
    private wasUsed = false;
    private cancel: (() => void) | undefined;
    private dueAt = Number.POSITIVE_INFINITY;
    private ended = false;

    /**
     * @param say brings a word to the gateway
     * @param tasks how many tasks run now
     */
    constructor(
        private readonly say: (word: Word) => Promise<void>,
        private readonly tasks: () => number,
        private readonly clock: Clock
    ) { }

    /** Begins to speak. */
    start(): void {
        this.speakIn(0);
    }

    /** A terminal printed something. */
    printed(): void {
        this.output = true;
        this.begun();
    }

    /** A task began or ended. */
    tasksChanged(): void {
        this.begun();
    }

    end(): void {
        this.ended = true;
        this.cancel?.();
    }

    private begun(): void {
        if (!this.wasUsed) {
            this.speakIn(Math.max(0, this.spoke + AT_MOST_EVERY - this.clock.now()));
        }
    }

    private speakIn(milliseconds: number): void {
        const at = this.clock.now() + milliseconds;
        if (this.ended || at >= this.dueAt) {
            return;
        }
        this.cancel?.();
        this.dueAt = at;
        this.cancel = this.clock.later(milliseconds, () => this.speak());
    }

    private speak(): void {
        const word = { output: this.output, tasks: this.tasks() };
        this.output = false;
        this.wasUsed = word.output || word.tasks > 0;
        this.spoke = this.clock.now();
        this.dueAt = Number.POSITIVE_INFINITY;
        this.speakIn(EVERY);
        this.say(word).catch(() => {
            this.output ||= word.output;
        });
    }
}

/** Tells what a terminal prints by itself from what it prints because it was resized. */
export class Redraw {
    private until = Number.NEGATIVE_INFINITY;

    constructor(private readonly now: () => number) { }

    resized(): void {
        this.until = this.now() + REDRAW;
    }

    /** Whether what is printed now is the answer to a resize. */
    get isOne(): boolean {
        return this.now() < this.until;
    }
}
