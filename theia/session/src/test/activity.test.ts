import * as assert from 'node:assert/strict';
import * as http from 'node:http';
import { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Activity, Redraw, Word } from '../node/activity';
import { Gateway } from '../node/gateway';

class World {
    now = 0;
    tasks = 0;
    fails = false;
    said: [number, Word][] = [];
    private waits: { at: number; run: () => void }[] = [];
    readonly activity = new Activity(
        word => {
            this.said.push([this.now, word]);
            return this.fails ? Promise.reject(new Error('nobody there')) : Promise.resolve();
        },
        () => this.tasks,
        {
            now: () => this.now,
            later: (milliseconds, run) => {
                const wait = { at: this.now + milliseconds, run };
                this.waits.push(wait);
                return () => this.waits = this.waits.filter(other => other !== wait);
            }
        });

    /** Lets time pass, and what waits for it happen. */
    async pass(milliseconds: number): Promise<void> {
        const until = this.now + milliseconds;
        for (;;) {
            const next = this.waits.sort((one, other) => one.at - other.at)[0];
            if (!next || next.at > until) {
                break;
            }
            this.waits.shift();
            this.now = next.at;
            next.run();
            await Promise.resolve();
            await Promise.resolve();
        }
        this.now = until;
    }
}

const idle: Word = { output: false, tasks: 0 };
const printed: Word = { output: true, tasks: 0 };

test('it speaks every half minute, also when nothing happens', async () => {
    const world = new World();
    world.activity.start();
    await world.pass(90_000);
    assert.deepEqual(world.said, [0, 30_000, 60_000, 90_000].map(at => [at, idle]));
});

test('use that begins is said at once, and use that goes on every half minute', async () => {
    const world = new World();
    world.activity.start();
    await world.pass(10_000);
    for (let at = 0; at < 600; at++) {
        world.activity.printed();
        await world.pass(100);
    }
    assert.deepEqual(world.said, [[0, idle], [10_000, printed], [40_000, printed], [70_000, printed]]);
    await world.pass(60_000);
    assert.deepEqual(world.said.slice(4), [[100_000, idle], [130_000, idle]]);
});

test('beginnings that follow each other closely are said together', async () => {
    const world = new World();
    world.activity.start();
    await world.pass(1_000);
    world.activity.printed();
    await world.pass(10_000);
    assert.deepEqual(world.said, [[0, idle], [5_000, printed]]);
});

test('a task that prints nothing is use for as long as it runs', async () => {
    const world = new World();
    world.activity.start();
    await world.pass(20_000);
    world.tasks = 1;
    world.activity.tasksChanged();
    await world.pass(65_000);
    world.tasks = 0;
    world.activity.tasksChanged();
    await world.pass(30_000);
    assert.deepEqual(world.said.map(([, { tasks }]) => tasks), [0, 1, 1, 1, 0]);
});

test('what did not arrive is said again with the next word', async () => {
    const world = new World();
    world.fails = true;
    world.activity.start();
    await world.pass(10_000);
    world.activity.printed();
    await world.pass(10_000);
    world.fails = false;
    await world.pass(60_000);
    assert.deepEqual(world.said.map(([, word]) => word), [idle, printed, printed, idle]);
});

test('after its end it says nothing', async () => {
    const world = new World();
    world.activity.start();
    await world.pass(0);
    world.activity.end();
    world.activity.printed();
    await world.pass(100_000);
    assert.equal(world.said.length, 1);
});

test('what a terminal prints because a tab resized it is no use', () => {
    let now = 0;
    const redraw = new Redraw(() => now);
    assert.equal(redraw.isOne, false);
    redraw.resized();
    now = 999;
    assert.equal(redraw.isOne, true);
    now = 1_000;
    assert.equal(redraw.isOne, false);
});

test('the gateway is told as it wants to be told, and its refusal is an error', async () => {
    const heard: { method?: string; url?: string; host?: string; origin?: string; body: string }[] = [];
    let status = 204;
    const server = http.createServer((request, response) => {
        let body = '';
        request.on('data', part => body += part);
        request.on('end', () => {
            const { method, url, headers } = request;
            heard.push({ method, url, host: headers.host, origin: headers.origin, body });
            response.writeHead(status).end();
        });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const gateway = new Gateway(`127.0.0.1:${port}`);
    await gateway.say({ output: true, tasks: 2 });
    assert.deepEqual(heard, [{ method: 'PUT', url: '/activity', host: `127.0.0.1:${port}`, origin: undefined, body: '{"output":true,"tasks":2}' }]);
    status = 400;
    await assert.rejects(gateway.say(idle), /400/);
    await new Promise(resolve => server.close(resolve));
    await assert.rejects(gateway.say(idle), /ECONNREFUSED/);
});
