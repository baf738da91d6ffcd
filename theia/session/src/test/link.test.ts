import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ear, Link } from '../common/link';
import { Tells } from '../common/protocol';

class World {
    ears: Ear[] = [];
    sent: unknown[] = [];
    closed = 0;
    told: Tells[] = [];
    states: string[] = [];
    waits: { milliseconds: number; run: () => void }[] = [];
    readonly link = new Link(
        ear => {
            this.ears.push(ear);
            return { send: text => this.sent.push(JSON.parse(text)), close: () => this.closed++ };
        },
        (milliseconds, run) => {
            const wait = { milliseconds, run };
            this.waits.push(wait);
            return () => this.waits = this.waits.filter(other => other !== wait);
        },
        'me',
        told => this.told.push(told),
        () => this.states.push(this.link.state),
        () => 1
    );

    get ear(): Ear {
        return this.ears.at(-1)!;
    }

    join(): void {
        this.ear.opened();
        this.ear.heard(JSON.stringify({ type: 'welcome', version: 1, values: [], tabs: ['me'] }));
    }

    /** Lets the pause pass. How long it was. */
    pass(): number {
        const [wait] = this.waits.splice(0, 1);
        wait.run();
        return wait.milliseconds;
    }
}

test('it says hello first, and nothing before it is welcome', () => {
    const world = new World();
    world.link.start();
    assert.equal(world.link.say({ type: 'input' }), false);
    world.ear.opened();
    assert.equal(world.link.say({ type: 'input' }), false);
    world.ear.heard('{"type":"tabs","tabs":["x"]}');
    assert.equal(world.told.length, 0);
    world.join();
    assert.equal(world.link.say({ type: 'input' }), true);
    assert.deepEqual(world.sent.at(0), { type: 'hello', version: 1, tab: 'me' });
    assert.deepEqual(world.sent.at(-1), { type: 'input' });
    assert.equal(world.told[0].type, 'welcome');
    assert.equal(world.link.state, 'joined');
});

test('pauses grow to half a minute, and begin anew once it was welcome', () => {
    const world = new World();
    world.link.start();
    const pauses: number[] = [];
    for (let at = 0; at < 9; at++) {
        world.ear.closed(1006);
        pauses.push(world.pass());
    }
    assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    world.join();
    world.ear.closed(1006);
    assert.equal(world.pass(), 500);
    assert.equal(world.ears.length, 11);
});

test('too much is followed by a long pause', () => {
    const world = new World();
    world.link.start();
    world.join();
    world.ear.closed(4429);
    assert.equal(world.pass(), 30_000);
});

test('whoever is shut out comes back only when asked to', () => {
    const world = new World();
    world.link.start();
    world.join();
    world.ear.closed(4401);
    assert.deepEqual([world.link.state, world.waits.length], ['shut-out', 0]);
    world.link.start();
    world.join();
    assert.deepEqual(world.states, ['joined', 'shut-out', 'waiting', 'joined']);
});

test('a person who comes back during a pause does not wait for its end', () => {
    const world = new World();
    world.link.start();
    world.ear.closed(1006);
    world.link.start();
    assert.deepEqual([world.ears.length, world.waits.length], [2, 0]);
    world.link.start();
    assert.equal(world.ears.length, 2);
});

test('after its end nothing that a socket says counts', () => {
    const world = new World();
    world.link.start();
    world.join();
    const ear = world.ear;
    world.link.end();
    ear.heard('{"type":"tabs","tabs":[]}');
    ear.closed(1006);
    world.link.start();
    assert.deepEqual([world.told.length, world.waits.length, world.ears.length, world.closed], [1, 0, 1, 1]);
});
