import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { Json, Said, SharedEntry, Tells } from '../common/protocol';
import { Merge, SharedState } from '../common/shared-state';

/** A gateway's part, by its rules: `sidecar/src/socket/hub.rs`. */
class Hub {
    values = new Map<string, { version: number; value: Json }>();
    tabs: Tab[] = [];
    room = Number.POSITIVE_INFINITY;

    put(tab: Tab, { key, base, value }: Extract<Said, { type: 'put' }>): void {
        const here = this.values.get(key) ?? { version: 0, value: null };
        if (base !== here.version || JSON.stringify(value).length > this.room) {
            tab.state.hear({ type: 'stale', key, ...here });
            return;
        }
        const version = here.version + 1;
        this.set(tab, { key, version, value });
        tab.state.hear({ type: 'kept', key, version });
    }

    /** Holds a value, and tells all but the tab that it comes from. */
    set(tab: Tab, { key, version, value }: SharedEntry): void {
        this.values.set(key, { version, value });
        for (const other of this.tabs) {
            if (other !== tab && other.joined) {
                other.state.hear({ type: 'changed', key, version, value });
            }
        }
    }

    welcome(): Tells {
        const values = [...this.values].map(([key, entry]) => ({ key, ...entry })).filter(entry => entry.value !== null);
        return { type: 'welcome', version: 1, values, tabs: [] };
    }
}

class Tab {
    joined = false;
    /** What was said and has not arrived yet. */
    said: Extract<Said, { type: 'put' }>[] = [];
    changes: SharedEntry[] = [];
    full: string[] = [];
    readonly state: SharedState;

    constructor(readonly hub: Hub, merge: Merge = (_, mine) => mine) {
        hub.tabs.push(this);
        this.state = new SharedState(
            said => {
                if (this.joined && said.type === 'put') {
                    this.said.push(said);
                }
                return this.joined;
            },
            merge, entry => this.changes.push(entry), key => this.full.push(key));
    }

    join(): this {
        this.joined = true;
        this.state.hear(this.hub.welcome());
        return this;
    }

    /** The connection breaks; what was said may have arrived or not, but nothing is heard of it. */
    lose(arrived: boolean): void {
        this.joined = false;
        for (const { key, base, value } of this.said.splice(0)) {
            const here = this.hub.values.get(key);
            if (arrived && base === (here?.version ?? 0)) {
                this.hub.set(this, { key, version: base + 1, value });
            }
        }
    }

    /** Lets what was said arrive. */
    deliver(): void {
        for (let said = this.said.shift(); said; said = this.said.shift()) {
            this.hub.put(this, said);
        }
    }
}

test('what one tab puts the other sees, and what is not known is nothing', () => {
    const hub = new Hub();
    const [one, two] = [new Tab(hub).join(), new Tab(hub).join()];
    assert.equal(two.state.get('layout'), null);
    one.state.put('layout', { left: 1 });
    assert.deepEqual(one.state.get('layout'), { left: 1 });
    assert.equal(one.state.settled, false);
    one.deliver();
    assert.equal(one.state.settled, true);
    assert.deepEqual(two.state.get('layout'), { left: 1 });
    assert.deepEqual(two.changes, [{ key: 'layout', version: 1, value: { left: 1 } }]);
    assert.deepEqual(one.changes, []);
});

test('many changes of a key are on their way one at a time, and the last one holds', () => {
    const hub = new Hub();
    const tab = new Tab(hub).join();
    for (let at = 0; at < 100; at++) {
        tab.state.put('k', at);
    }
    assert.equal(tab.said.length, 1);
    tab.deliver();
    assert.deepEqual(hub.values.get('k'), { version: 2, value: 99 });
    tab.state.put('k', 99);
    assert.equal(tab.said.length, 0);
});

test('whoever was slower decides with what the faster one put before them', () => {
    for (const [merge, held] of [
        [(_: string, mine: Json) => mine, 'two'],
        [() => undefined, 'one'],
        [(_: string, mine: Json, theirs: Json) => `${theirs}+${mine}`, 'one+two']
    ] as [Merge, Json][]) {
        const hub = new Hub();
        const [one, two] = [new Tab(hub, merge).join(), new Tab(hub, merge).join()];
        one.state.put('k', 'one');
        two.state.put('k', 'two');
        one.deliver();
        two.deliver();
        for (const tab of [one, two]) {
            assert.equal(tab.state.get('k'), held);
            assert.equal(tab.state.settled, true);
        }
        assert.equal(hub.values.get('k')!.value, held);
    }
});

test('what has no room is let go and said, and does not go round', () => {
    const hub = new Hub();
    const tab = new Tab(hub).join();
    hub.room = 10;
    tab.state.put('k', 'x'.repeat(20));
    tab.deliver();
    assert.deepEqual([tab.full, tab.state.get('k'), tab.state.settled], [['k'], null, true]);
});

test('what was put without a connection is said when there is one', () => {
    const hub = new Hub();
    const tab = new Tab(hub);
    tab.state.put('k', 1);
    tab.state.put('k', 2);
    tab.join().deliver();
    assert.deepEqual(hub.values.get('k'), { version: 1, value: 2 });
});

test('an answer that was lost is neither taken for a conflict nor for success', () => {
    for (const arrived of [true, false]) {
        const hub = new Hub();
        const tab = new Tab(hub, () => assert.fail('nobody else wrote')).join();
        tab.state.put('k', 'mine');
        tab.lose(arrived);
        tab.join().deliver();
        assert.deepEqual(hub.values.get('k'), { version: 1, value: 'mine' }, String(arrived));
        assert.equal(tab.state.settled, true);
    }
});

test('a key that was taken away while this tab was gone can be put again', () => {
    const hub = new Hub();
    const tab = new Tab(hub).join();
    hub.values.set('k', { version: 7, value: null });
    tab.state.put('k', 'again');
    tab.deliver();
    assert.deepEqual(hub.values.get('k'), { version: 8, value: 'again' });
});

test('an older change that comes late does not undo a newer one', () => {
    const tab = new Tab(new Hub()).join();
    tab.state.hear({ type: 'changed', key: 'k', version: 5, value: 'new' });
    tab.state.hear({ type: 'changed', key: 'k', version: 4, value: 'old' });
    assert.equal(tab.state.get('k'), 'new');
    assert.equal(tab.changes.length, 1);
});

test('tabs that write, lose their connection and come back in any order end with the same', () => {
    for (let seed = 1; seed <= 500; seed++) {
        let state = seed;
        const random = (below: number) => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return Math.floor(state / 2 ** 32 * below);
        };
        const hub = new Hub();
        const tabs = [new Tab(hub), new Tab(hub), new Tab(hub)];
        for (let step = 0; step < 60; step++) {
            const tab = tabs[random(3)];
            const key = `k${random(2)}`;
            switch (random(4)) {
                case 0: tab.state.put(key, `${seed}.${step}`); break;
                case 1: tab.deliver(); break;
                case 2: if (tab.joined) { tab.lose(random(2) === 0); } break;
                case 3: if (!tab.joined) { tab.join(); } break;
            }
        }
        tabs.forEach(tab => tab.joined || tab.join());
        tabs.forEach(tab => tab.deliver());
        for (const key of ['k0', 'k1']) {
            const values = tabs.map(tab => tab.state.get(key));
            assert.deepEqual(values, values.map(() => hub.values.get(key)?.value ?? null), `seed ${seed}, ${key}`);
        }
        assert.ok(tabs.every(tab => tab.state.settled), `seed ${seed}`);
    }
});
