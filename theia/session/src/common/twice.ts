/** Longest time between two presses that belong together, in milliseconds. */
export const BETWEEN = 600;

/** Tells when one key was pressed twice, with no other key and no long pause between. */
export class Twice {
    private at = Number.NEGATIVE_INFINITY;

    constructor(private readonly key: string, private readonly now: () => number) { }

    /** A key was pressed. True if it is the second press. */
    pressed(key: string, repeated: boolean): boolean {
        if (repeated) {
            return false;
        }
        const before = this.at;
        const now = this.now();
        const is = key === this.key;
        const second = is && now - before <= BETWEEN;
        this.at = is && !second ? now : Number.NEGATIVE_INFINITY;
        return second;
    }
}
