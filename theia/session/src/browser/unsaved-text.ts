import { MessageService, URI } from '@theia/core/lib/common';
import { nls } from '@theia/core/lib/common/nls';
import { UntitledResourceResolver } from '@theia/core/lib/common/resource';
import { OpenerService, open } from '@theia/core/lib/browser';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { inject, injectable } from '@theia/core/shared/inversify';
import { MonacoEditorModel } from '@theia/monaco/lib/browser/monaco-editor-model';
import { MonacoTextModelService } from '@theia/monaco/lib/browser/monaco-text-model-service';
import { LONGEST_UNSAVED, Unsaved, UnsavedServer, howToReturn } from '../common/unsaved';
import { Session } from './session';

/** How long after the last keystroke text is copied, in milliseconds: before the autosave, which may not succeed. */
const SETTLES = 500;

/**
 * Copies text that nobody has saved yet to the volume, and brings it back. With autosave on that is a second of typing,
 * documents that have no file yet, and files that could not be saved.
 */
@injectable()
export class UnsavedText implements FrontendApplicationContribution {
    @inject(MonacoTextModelService) protected readonly models: MonacoTextModelService;
    @inject(UnsavedServer) protected readonly server: UnsavedServer;
    @inject(UntitledResourceResolver) protected readonly untitled: UntitledResourceResolver;
    @inject(OpenerService) protected readonly opener: OpenerService;
    @inject(MessageService) protected readonly messages: MessageService;
    @inject(Session) protected readonly session: Session;

    protected readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
    /** Whose copies this tab made: only those does it forget. */
    protected readonly kept = new Set<string>();
    protected pending: Promise<Unsaved[]> | undefined;
    protected warned = false;

    onStart(): void {
        for (const model of this.models.models) {
            this.follow(model);
        }
        this.models.onDidCreate(model => this.follow(model));
        document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.flush());
    }

    /** Makes documents without a file exist again, before the editors of the layout ask for them. */
    async prepare(): Promise<void> {
        for (const unsaved of await this.found()) {
            const uri = new URI(unsaved.uri);
            if (howToReturn(unsaved) === 'untitled' && uri.scheme === 'untitled' && !this.untitled.has(uri)) {
                await this.untitled.createUntitledResource(unsaved.text, uri.path.ext, uri);
            }
        }
    }

    async onDidInitializeLayout(): Promise<void> {
        for (const unsaved of await this.found()) {
            try {
                await this.bringBack(unsaved);
            } catch (error) {
                // Its copy stays.
                console.error(`unsaved text of ${unsaved.uri} could not be brought back`, error);
            }
        }
    }

    /** Saves what has a file and copies the rest. Done when all of it is on the volume. */
    async saveAll(): Promise<void> {
        await Promise.allSettled(this.models.models
            .filter(model => model.dirty && !model.readOnly && new URI(model.uri).scheme === 'file')
            .map(model => model.save()));
        await this.flush();
    }

    /** Copies whatever is unsaved now. Done when it is on the volume. */
    async flush(): Promise<void> {
        await Promise.all(this.models.models.filter(model => model.dirty).map(model => this.keep(model)));
    }

    protected found(): Promise<Unsaved[]> {
        // Another tab that is open has its text itself.
        return this.pending ??= this.session.others > 0 ? Promise.resolve([]) : this.server.all().catch(error => {
            console.error('what was not saved could not be read', error);
            return [];
        });
    }

    protected follow(model: MonacoEditorModel): void {
        model.onDidChangeContent(() => this.later(model));
        model.onDirtyChanged(() => model.dirty ? this.later(model) : this.forget(model.uri));
        model.onDispose(() => this.forget(model.uri));
        this.later(model);
    }

    protected later(model: MonacoEditorModel): void {
        if (!model.dirty) {
            return;
        }
        clearTimeout(this.timers.get(model.uri));
        this.timers.set(model.uri, setTimeout(() => this.keep(model), SETTLES));
    }

    protected async keep(model: MonacoEditorModel): Promise<void> {
        clearTimeout(this.timers.get(model.uri));
        this.timers.delete(model.uri);
        // Settings and the like are saved elsewhere; the longest file is saved by itself.
        if (!model.dirty || !['file', 'untitled'].includes(new URI(model.uri).scheme) || model.textEditorModel.getValueLength() > LONGEST_UNSAVED) {
            return;
        }
        this.kept.add(model.uri);
        try {
            await this.server.keep(model.uri, model.getText());
        } catch (error) {
            console.warn(`unsaved text of ${model.uri} was not copied`, error);
            if (!this.warned) {
                this.warned = true;
                this.messages.warn(nls.localize('coditect/unsaved/failed',
                    'Unsaved text could not be copied to the volume: {0}. Save it, or make room.', error instanceof Error ? error.message : String(error)));
            }
        }
    }

    protected async forget(uri: string): Promise<void> {
        clearTimeout(this.timers.get(uri));
        this.timers.delete(uri);
        if (this.kept.delete(uri)) {
            // If it fails, the copy is found to be what the file holds, and forgotten at the next start.
            await this.server.forget(uri).catch(() => undefined);
        }
    }

    protected async bringBack(unsaved: Unsaved): Promise<void> {
        const uri = new URI(unsaved.uri);
        switch (howToReturn(unsaved)) {
            case 'forget':
                return this.server.forget(unsaved.uri);
            case 'apply': {
                const reference = await this.models.createModelReference(uri);
                try {
                    const model = reference.object;
                    if (!model.dirty && model.getText() !== unsaved.text) {
                        this.kept.add(unsaved.uri);
                        const text = model.textEditorModel;
                        // As an edit, so that it can be undone.
                        text.pushEditOperations([], [{ range: text.getFullModelRange(), text: unsaved.text }], () => null);
                    }
                    await open(this.opener, uri, { mode: 'open' });
                } finally {
                    reference.dispose();
                }
                return;
            }
            case 'untitled':
                if (uri.scheme === 'untitled') {
                    this.kept.add(unsaved.uri);
                    await open(this.opener, uri, { mode: 'open' });
                    return;
                }
                return this.beside(unsaved, uri);
            case 'beside':
                await this.beside(unsaved, uri);
                this.messages.warn(nls.localize('coditect/unsaved/beside',
                    '{0} has changed since you last typed in it. Your text is in a document of its own beside it.', uri.path.base));
        }
    }

    /** Puts the text into a document of its own; its own copy is made before the old one goes. */
    protected async beside(unsaved: Unsaved, uri: URI): Promise<void> {
        const resource = await this.untitled.createUntitledResource(unsaved.text, uri.path.ext);
        await open(this.opener, resource.uri, { mode: 'open' });
        await this.server.keep(resource.uri.toString(), unsaved.text);
        this.kept.add(resource.uri.toString());
        await this.server.forget(unsaved.uri);
    }
}
