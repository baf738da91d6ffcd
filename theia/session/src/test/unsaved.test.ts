import * as assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { FileNow, LONGEST_UNSAVED, Return, howToReturn } from '../common/unsaved';
import { UnsavedStore } from '../node/unsaved-store';

const folders: string[] = [];
after(() => Promise.all(folders.map(folder => fs.rm(folder, { recursive: true }))));

async function volume(): Promise<{ folder: string; copies: string; store: UnsavedStore; file: (name: string) => { place: string; uri: string } }> {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'theia-unsaved-'));
    folders.push(folder);
    const copies = path.join(folder, '.home', 'unsaved');
    const file = (name: string) => ({ place: path.join(folder, name), uri: pathToFileURL(path.join(folder, name)).toString() });
    return { folder, copies, store: new UnsavedStore(copies, () => new Date(0)), file };
}

test('a copy is found again by another program, with what has become of its file', async () => {
    const { copies, store, file } = await volume();
    const change: [string, FileNow, Return, (place: string) => Promise<void>][] = [
        ['same.txt', 'unchanged', 'apply', async () => undefined],
        ['other.txt', 'changed', 'beside', place => fs.writeFile(place, 'somebody else')],
        ['gone.txt', 'changed', 'beside', place => fs.rm(place)],
        ['saved.txt', 'saved', 'forget', place => fs.writeFile(place, 'mine: ä€😀\n')]
    ];
    for (const [name] of change) {
        await fs.writeFile(file(name).place, 'before');
        await store.keep(file(name).uri, 'mine: ä€😀\n');
    }
    for (const [name, , , then] of change) {
        await then(file(name).place);
    }
    const found = new Map((await new UnsavedStore(copies).all()).map(unsaved => [unsaved.uri, unsaved]));
    for (const [name, now, how] of change) {
        const unsaved = found.get(file(name).uri)!;
        assert.deepEqual(unsaved, { uri: file(name).uri, text: 'mine: ä€😀\n', at: '1970-01-01T00:00:00.000Z', file: now }, name);
        assert.equal(howToReturn(unsaved), how, name);
    }
});

test('a document without a file comes back as one; if somebody made that file meanwhile, beside it', async () => {
    const { store, file } = await volume();
    const untitled = 'untitled:/Untitled-1.md';
    const fresh = file('new.txt');
    await store.keep(untitled, 'a thought');
    await store.keep(fresh.uri, 'mine');
    assert.deepEqual((await store.all()).map(({ uri, file }) => [uri, file]).sort(), [[fresh.uri, 'none'], [untitled, 'none']].sort());
    await fs.writeFile(fresh.place, 'theirs');
    assert.equal((await store.all()).find(unsaved => unsaved.uri === fresh.uri)!.file, 'changed');
    assert.equal(howToReturn({ file: 'none' }), 'untitled');
});

test('what the text was begun from is not what somebody wrote since', async () => {
    const { store, file } = await volume();
    const { place, uri } = file('a.txt');
    await fs.writeFile(place, 'before');
    await store.keep(uri, 'mine 1');
    await fs.writeFile(place, 'theirs');
    await store.keep(uri, 'mine 2');
    const [unsaved] = await store.all();
    assert.deepEqual([unsaved.text, unsaved.file], ['mine 2', 'changed']);
    // Once it was saved, the next text begins from there.
    await store.forget(uri);
    await store.keep(uri, 'mine 3');
    assert.equal((await store.all())[0].file, 'unchanged');
});

test('the last word about a document holds, however fast they follow', async () => {
    const { copies, store } = await volume();
    const all = Array.from({ length: 50 }, (_, at) => store.keep('untitled:/a', `text ${at}`));
    await Promise.all(all);
    assert.equal((await store.all())[0].text, 'text 49');
    void store.keep('untitled:/a', 'more');
    await store.forget('untitled:/a');
    assert.deepEqual(await store.all(), []);
    assert.deepEqual(await fs.readdir(copies), []);
});

test('copies are for nobody else, and one that is damaged stands in nobody\'s way', async () => {
    const { copies, store } = await volume();
    await store.keep('untitled:/a', 'mine');
    const [name] = await fs.readdir(copies);
    assert.equal((await fs.stat(path.join(copies, name))).mode & 0o077, 0);
    assert.equal((await fs.stat(copies)).mode & 0o077, 0);
    const [damaged, foreign] = ['0'.repeat(64), '1'.repeat(64)].map(hash => path.join(copies, `${hash}.json`));
    await fs.writeFile(damaged, '{"format":1,"uri":"untitled:/b","te');
    await fs.writeFile(foreign, '{"format":2}');
    assert.deepEqual((await store.all()).map(unsaved => unsaved.uri), ['untitled:/a']);
    assert.equal((await fs.readdir(copies)).length, 3);
});

test('copies have a most, and say so; what is kept already can be kept anew', async () => {
    const { store } = await volume();
    await assert.rejects(store.keep('untitled:/long', 'x'.repeat(LONGEST_UNSAVED + 1)), /longer than/);
    const large = 'x'.repeat(LONGEST_UNSAVED);
    let kept = 0;
    await assert.rejects(async () => {
        for (; kept < 20; kept++) {
            await store.keep(`untitled:/${kept}`, large);
        }
    }, /save or close/);
    assert.equal(kept, 15);
    await store.keep('untitled:/0', 'short');
    await store.keep('untitled:/15', large);
});

test('a link, a folder and a device are no file to compare with', async () => {
    const { store, folder } = await volume();
    for (const uri of [pathToFileURL(folder).toString(), 'file:///dev/zero', 'file://%00', 'https://example.com/a']) {
        await store.keep(uri, 'text');
    }
    assert.deepEqual(new Set((await store.all()).map(unsaved => unsaved.file)), new Set(['none']));
});
