import * as os from 'node:os';
import * as path from 'node:path';
import { injectable } from '@theia/core/shared/inversify';
import { Unsaved, UnsavedServer } from '../common/unsaved';
import { UnsavedStore } from './unsaved-store';

/** The copies of a person's home, for all tabs. */
@injectable()
export class HomeUnsavedServer implements UnsavedServer {
    protected readonly store = new UnsavedStore(path.join(os.homedir(), '.coditect', 'unsaved'));

    keep(uri: string, text: string): Promise<void> {
        return this.store.keep(uri, text);
    }

    forget(uri: string): Promise<void> {
        return this.store.forget(uri);
    }

    all(): Promise<Unsaved[]> {
        return this.store.all();
    }
}
