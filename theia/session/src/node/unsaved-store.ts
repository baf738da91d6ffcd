import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileNow, LONGEST_UNSAVED, Unsaved } from '../common/unsaved';

/** Most copies, and how many bytes they take together: a person's volume is theirs. */
const MOST = 500;
const MOST_BYTES = 64 * 1024 * 1024;
/** Largest file that is compared; a larger one counts as changed, which loses nothing. */
const LARGEST_FILE = 16 * 1024 * 1024;

/** A copy as it lies on the volume. */
interface Kept {
    readonly format: 1;
    readonly uri: string;
    readonly text: string;
    readonly at: string;
    /** SHA-256 of the file when this text was begun; none if there was no file, or none that can be compared. */
    readonly base?: string;
}

/**
 * Copies of unsaved text in a folder of the volume: one file each, named by its document, written whole or not at all,
 * and synced before it is acknowledged. Operations on one document happen in the order in which they were asked for.
 */
export class UnsavedStore {
    private readonly queues = new Map<string, Promise<unknown>>();

    constructor(private readonly folder: string, private readonly now: () => Date = () => new Date()) { }

    keep(uri: string, text: string): Promise<void> {
        return this.inTurn(uri, async () => {
            if (text.length > LONGEST_UNSAVED) {
                throw new Error(`unsaved text of ${uri} is longer than ${LONGEST_UNSAVED} characters: it is not copied`);
            }
            const place = this.place(uri);
            // What the text was begun from is decided once: a later look would take somebody else's change for it.
            const before = await this.read(place);
            const base = before ? before.base : await hashOf(uri);
            const kept: Kept = { format: 1, uri, text, at: this.now().toISOString(), ...(base && { base }) };
            const bytes = Buffer.from(JSON.stringify(kept));
            await fs.mkdir(this.folder, { recursive: true, mode: 0o700 });
            await this.makeRoom(place, bytes.length);
            const temporary = path.join(this.folder, `.${randomUUID()}`);
            try {
                await fs.writeFile(temporary, bytes, { mode: 0o600, flush: true, flag: 'wx' });
                await fs.rename(temporary, place);
            } catch (error) {
                await fs.rm(temporary, { force: true });
                throw error;
            }
            const handle = await fs.open(this.folder);
            await handle.sync().finally(() => handle.close());
        });
    }

    forget(uri: string): Promise<void> {
        return this.inTurn(uri, () => fs.rm(this.place(uri), { force: true }));
    }

    /** All copies, the oldest first; what cannot be read is left where it is. */
    async all(): Promise<Unsaved[]> {
        await Promise.allSettled(this.queues.values());
        const found: Unsaved[] = [];
        for (const name of await this.names()) {
            const kept = await this.read(path.join(this.folder, name));
            if (kept) {
                found.push({ uri: kept.uri, text: kept.text, at: kept.at, file: await fileNow(kept) });
            }
        }
        return found.sort((one, other) => one.at.localeCompare(other.at));
    }

    private place(uri: string): string {
        return path.join(this.folder, `${createHash('sha256').update(uri).digest('hex')}.json`);
    }

    private async names(): Promise<string[]> {
        try {
            return (await fs.readdir(this.folder)).filter(name => /^[0-9a-f]{64}\.json$/.test(name));
        } catch (error) {
            if (isMissing(error)) {
                return [];
            }
            throw error;
        }
    }

    private async read(place: string): Promise<Kept | undefined> {
        try {
            const kept: unknown = JSON.parse(await fs.readFile(place, 'utf8'));
            return isKept(kept) ? kept : undefined;
        } catch {
            return undefined;
        }
    }

    private async makeRoom(place: string, bytes: number): Promise<void> {
        let [count, sum] = [1, bytes];
        for (const name of await this.names()) {
            const other = path.join(this.folder, name);
            if (other !== place) {
                count += 1;
                sum += (await fs.stat(other).catch(() => ({ size: 0 }))).size;
            }
        }
        if (count > MOST || sum > MOST_BYTES) {
            throw new Error(`more unsaved text than ${MOST} documents or ${MOST_BYTES} bytes: save or close some of them`);
        }
    }

    private inTurn<T>(uri: string, run: () => Promise<T>): Promise<T> {
        const turn = (this.queues.get(uri) ?? Promise.resolve()).catch(() => undefined).then(run);
        this.queues.set(uri, turn);
        const over = () => {
            if (this.queues.get(uri) === turn) {
                this.queues.delete(uri);
            }
        };
        turn.then(over, over);
        return turn;
    }
}

async function fileNow(kept: Kept): Promise<FileNow> {
    const bytes = await bytesOf(kept.uri);
    if (bytes?.equals(Buffer.from(kept.text))) {
        return 'saved';
    }
    const hash = bytes && sha256(bytes);
    if (kept.base === undefined) {
        return bytes ? 'changed' : 'none';
    }
    return hash === kept.base ? 'unchanged' : 'changed';
}

async function hashOf(uri: string): Promise<string | undefined> {
    const bytes = await bytesOf(uri);
    return bytes && sha256(bytes);
}

async function bytesOf(uri: string): Promise<Buffer | undefined> {
    if (!uri.startsWith('file:')) {
        return undefined;
    }
    try {
        const place = fileURLToPath(uri);
        const stat = await fs.stat(place);
        return stat.isFile() && stat.size <= LARGEST_FILE ? await fs.readFile(place) : undefined;
    } catch {
        return undefined;
    }
}

function sha256(bytes: Buffer): string {
    return createHash('sha256').update(bytes).digest('hex');
}

function isMissing(error: unknown): boolean {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function isKept(value: unknown): value is Kept {
    const kept = value as Partial<Kept> | null;
    return typeof kept === 'object' && kept !== null && kept.format === 1 && typeof kept.uri === 'string'
        && typeof kept.text === 'string' && typeof kept.at === 'string'
        && (kept.base === undefined || typeof kept.base === 'string');
}
