import { Json, Said, SharedEntry, Tells } from './protocol';

/**
 * Decides what is to be kept when another tab was faster.
 * @returns what is put over theirs, or `undefined` to let theirs stand
 */
export type Merge = (key: string, mine: Json, theirs: Json) => Json | undefined;

/** What a tab wants a key to hold. */
interface Wish {
    value: Json;
    /** What is on its way to the gateway, and the version that it was changed from. At most one a key. */
    flying?: { value: Json; base: number };
}

/**
 * The values that the tabs of a workspace share, as this tab knows them. Each key has its version; a change names the
 * version that it was made from, so that nobody overwrites what they have not seen. What could not be said while the
 * connection was away is said when it is back.
 */
export class SharedState {
    private known = new Map<string, SharedEntry>();
    private readonly wishes = new Map<string, Wish>();

    /**
     * @param say sends to the gateway; false if it is not there
     * @param changed is told what others changed
     * @param full is told the key of a change for which there is no room; it is let go
     */
    constructor(
        private readonly say: (said: Said) => boolean,
        private readonly merge: Merge,
        private readonly changed: (entry: SharedEntry) => void,
        private readonly full: (key: string) => void
    ) { }

    /** What a key holds: what this tab wants, or else what it knows; null for nothing. */
    get(key: string): Json {
        const wish = this.wishes.get(key);
        return wish ? wish.value : this.known.get(key)?.value ?? null;
    }

    /** Whether everything that this tab wanted is kept. */
    get settled(): boolean {
        return this.wishes.size === 0;
    }

    /** Changes a key; null takes it away. */
    put(key: string, value: Json): void {
        const wish = this.wishes.get(key);
        if (wish) {
            wish.value = value;
        } else if (same(this.known.get(key)?.value ?? null, value)) {
            return;
        } else {
            this.wishes.set(key, { value });
        }
        this.send(key);
    }

    /** Takes in what the gateway says. */
    hear(told: Tells): void {
        switch (told.type) {
            case 'welcome': return this.welcome(told.values);
            case 'kept': return this.kept(told.key, told.version);
            case 'stale': return this.stale(told);
            case 'changed': return this.learn(told);
        }
    }

    /** A connection begins: what was on its way before may have arrived or not, and is decided by what is there now. */
    private welcome(values: readonly SharedEntry[]): void {
        const before = this.known;
        this.known = new Map(values.map(entry => [entry.key, plain(entry)]));
        for (const [key, wish] of this.wishes) {
            const sent = wish.flying;
            wish.flying = undefined;
            const theirs = this.known.get(key);
            const arrived = sent && theirs?.version === sent.base + 1 && same(theirs.value, sent.value);
            if (arrived) {
                this.done(key, wish, sent.value);
            } else if (theirs && theirs.version !== (before.get(key)?.version ?? 0)) {
                this.resolve(key, wish, theirs);
            } else {
                this.send(key);
            }
        }
        for (const entry of this.known.values()) {
            if (!this.wishes.has(entry.key) && entry.version !== before.get(entry.key)?.version) {
                this.changed(entry);
            }
        }
    }

    private kept(key: string, version: number): void {
        const wish = this.wishes.get(key);
        const sent = wish?.flying;
        if (wish && sent) {
            wish.flying = undefined;
            this.known.set(key, { key, version, value: sent.value });
            this.done(key, wish, sent.value);
        }
    }

    private stale(told: SharedEntry): void {
        const theirs = plain(told);
        const wish = this.wishes.get(theirs.key);
        const sent = wish?.flying;
        if (!wish || !sent) {
            this.learn(theirs);
            return;
        }
        wish.flying = undefined;
        this.known.set(theirs.key, theirs);
        if (theirs.version === sent.base) {
            this.wishes.delete(theirs.key);
            this.full(theirs.key);
        } else {
            this.resolve(theirs.key, wish, theirs);
        }
    }

    private learn(told: SharedEntry): void {
        if (told.version <= (this.known.get(told.key)?.version ?? 0)) {
            return;
        }
        const entry = plain(told);
        this.known.set(entry.key, entry);
        // With a wish of our own on its way, the gateway's answer to that decides.
        if (!this.wishes.has(entry.key)) {
            this.changed(entry);
        }
    }

    private resolve(key: string, wish: Wish, theirs: SharedEntry): void {
        const merged = this.merge(key, wish.value, theirs.value);
        if (merged === undefined || same(merged, theirs.value)) {
            this.wishes.delete(key);
            this.changed(theirs);
        } else {
            wish.value = merged;
            this.send(key);
        }
    }

    private done(key: string, wish: Wish, value: Json): void {
        if (same(wish.value, value)) {
            this.wishes.delete(key);
        } else {
            this.send(key);
        }
    }

    private send(key: string): void {
        const wish = this.wishes.get(key);
        if (!wish || wish.flying) {
            return;
        }
        const base = this.known.get(key)?.version ?? 0;
        if (this.say({ type: 'put', key, base, value: wish.value })) {
            wish.flying = { value: wish.value, base };
        }
    }
}

function plain({ key, version, value }: SharedEntry): SharedEntry {
    return { key, version, value };
}

function same(one: Json, other: Json): boolean {
    return one === other || JSON.stringify(one) === JSON.stringify(other);
}
