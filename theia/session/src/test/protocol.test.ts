import * as assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Said, VERSION, afterClose, readTells } from '../common/protocol';

interface Shape {
    properties: Record<string, { const?: string }>;
    required: string[];
    additionalProperties?: boolean;
    $ref?: string;
}

/** The gateway's own description of the protocol: what its program is tested to be. */
const schema = JSON.parse(readFileSync(path.join(__dirname, '../../../../sidecar/socket.schema.json'), 'utf8')) as {
    version: number;
    tab: { oneOf: Shape[] };
    gateway: { oneOf: Shape[]; $defs: Record<string, Shape> };
};

function shapeOf(shapes: Shape[], type: string): Shape {
    const shape = shapes.find(shape => shape.properties.type?.const === type);
    assert.ok(shape, `the gateway knows no ${type}`);
    return shape;
}

test('the version is the gateway\'s', () => assert.equal(VERSION, schema.version));

test('what a tab says has exactly the fields that the gateway takes', () => {
    const said: Said[] = [
        { type: 'hello', version: 1, tab: 'a' },
        { type: 'put', key: 'k', base: 0, value: null },
        { type: 'input' },
        { type: 'saved' }
    ];
    for (const one of said) {
        const shape = shapeOf(schema.tab.oneOf, one.type);
        assert.deepEqual(Object.keys(one).sort(), Object.keys(shape.properties).sort(), one.type);
        assert.deepEqual([...shape.required].sort(), Object.keys(one).sort(), one.type);
    }
});

test('whatever the gateway says with all its fields is read, and with one of them missing is not', () => {
    const entry = { key: 'k', version: 1, value: { any: 1 } };
    const told: Record<string, unknown>[] = [
        { type: 'welcome', version: 1, values: [entry], tabs: ['a'] },
        { type: 'tabs', tabs: [] },
        { type: 'kept', key: 'k', version: 2 },
        { type: 'stale', ...entry },
        { type: 'changed', ...entry },
        { type: 'stopping', seconds: 10 }
    ];
    for (const one of told) {
        assert.deepEqual(readTells(JSON.stringify(one)), one);
        const shape = shapeOf(schema.gateway.oneOf, String(one.type));
        const referred = shape.$ref ? schema.gateway.$defs[shape.$ref.split('/').at(-1)!].required : [];
        const fields = [...shape.required, ...referred];
        assert.deepEqual([...fields].sort(), Object.keys(one).sort(), String(one.type));
        for (const field of fields) {
            const { [field]: _, ...rest } = one;
            assert.equal(readTells(JSON.stringify(rest)), undefined, `${one.type} without ${field}`);
        }
    }
});

test('what is no message, or a new one, is passed over', () => {
    for (const text of ['', 'null', '[]', '1', '{}', '{"type":"new"}', '{"type":"tabs","tabs":[1]}', '{"type":"kept","key":"k","version":-1}',
        '{"type":"welcome","version":1,"tabs":[],"values":[{"key":1}]}']) {
        assert.equal(readTells(text), undefined, text);
    }
});

test('a tab that was shut out or is outdated does not come back by itself; all others do', () => {
    assert.equal(afterClose(4401), 'shut-out');
    assert.equal(afterClose(4426), 'reload');
    for (const code of [1003, 1009, 4400, 4409, 4410, 4429]) {
        assert.equal(afterClose(code), 'later', String(code));
    }
    for (const code of [1000, 1001, 1005, 1006, 4408, 4411]) {
        assert.equal(afterClose(code), 'again', String(code));
    }
});
