import * as assert from 'node:assert/strict';
import { deflateRawSync } from 'node:zlib';
import { test } from 'node:test';
import { pack, unpack } from '../common/pack';

test('what is packed is the same again, whatever characters it has', async () => {
    for (const text of ['', 'a', '{"ä":"€😀"}', 'x'.repeat(100_000), Array.from({ length: 20_000 }, (_, at) => at).join()]) {
        assert.equal(await unpack(await pack(text)), text);
    }
});

test('a layout becomes small', async () => {
    const layout = JSON.stringify(Array.from({ length: 300 }, (_, at) => ({ factoryId: 'code-editor-opener', options: { counter: at, uri: `file:///workspace/src/${at}.ts` } })));
    assert.ok(layout.length > 25_000);
    assert.ok((await pack(layout)).length < 6_000);
});

test('what is not packed text, or too much, is none', async () => {
    for (const packed of ['', '!', 'AAAA', btoa('not deflated')]) {
        assert.equal(await unpack(packed), undefined, packed);
    }
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64');
    assert.ok(bomb.length < 100_000);
    assert.equal(await unpack(bomb), undefined);
});
