import * as assert from 'node:assert/strict';
import { test } from 'node:test';
import { BETWEEN, Twice } from '../common/twice';

function presses(...pressed: [key: string, after: number, repeated?: boolean][]): boolean[] {
    let now = 0;
    const twice = new Twice('Escape', () => now);
    return pressed.map(([key, after, repeated]) => {
        now += after;
        return twice.pressed(key, repeated === true);
    });
}

test('two presses that follow on each other count once', () => {
    assert.deepEqual(presses(['Escape', 0], ['Escape', BETWEEN], ['Escape', 1], ['Escape', 1]), [false, true, false, true]);
});

test('a pause, another key, or a key held down is not twice', () => {
    assert.deepEqual(presses(['Escape', 0], ['Escape', BETWEEN + 1]), [false, false]);
    assert.deepEqual(presses(['Escape', 0], ['a', 1], ['Escape', 1]), [false, false, false]);
    assert.deepEqual(presses(['Escape', 0], ['Escape', 30, true], ['Escape', 30, true]), [false, false, false]);
});
