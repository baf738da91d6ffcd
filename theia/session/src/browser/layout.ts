import { FrontendApplication } from '@theia/core/lib/browser';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { ShellLayoutRestorer } from '@theia/core/lib/browser/shell/shell-layout-restorer';
import { inject, injectable } from '@theia/core/shared/inversify';
import { WorkspaceService } from '@theia/workspace/lib/browser';
import { pack, unpack } from '../common/pack';
import { Session } from './session';
import { UnsavedText } from './unsaved-text';

/** How long after the last change of the workbench it is said to the others, in milliseconds. */
const SETTLES = 2_000;

/**
 * The workbench as the person left it, whichever browser they come back with: open editors, views, terminals. A browser
 * keeps its own copy too, for when there is no gateway or no room.
 */
@injectable()
export class SharedLayout extends ShellLayoutRestorer implements FrontendApplicationContribution {
    @inject(Session) protected readonly session: Session;
    @inject(WorkspaceService) protected readonly workspaces: WorkspaceService;
    @inject(UnsavedText) protected readonly unsaved: UnsavedText;

    protected app: FrontendApplication | undefined;
    protected timer: ReturnType<typeof setTimeout> | undefined;

    override async restoreLayout(app: FrontendApplication): Promise<boolean> {
        this.app = app;
        await this.session.ready;
        // Their editors are part of the layout, and would be empty.
        await this.unsaved.prepare();
        const shared = this.session.shared.get(await this.key());
        const text = typeof shared === 'string' ? await unpack(shared) : undefined;
        if (text !== undefined) {
            try {
                await app.shell.setLayoutData(await this.inflate(text));
                return true;
            } catch (error) {
                // An older IDE's, or not ours at all.
                console.warn('the shared layout could not be restored', error);
            }
        }
        return super.restoreLayout(app);
    }

    onDidInitializeLayout(app: FrontendApplication): void {
        this.app = app;
        const { shell } = app;
        const settle = () => {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.share(), SETTLES);
        };
        shell.onDidAddWidget(settle);
        shell.onDidRemoveWidget(settle);
        shell.onDidChangeCurrentWidget(settle);
        document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.share());
    }

    /** Says how the workbench is. Done when it is on its way. */
    async share(): Promise<void> {
        clearTimeout(this.timer);
        if (!this.app || !this.shouldStoreLayout) {
            return;
        }
        try {
            const packed = await pack(this.deflate(this.app.shell.getLayoutData()));
            this.session.shared.put(await this.key(), packed);
        } catch (error) {
            console.warn('the layout could not be shared', error);
        }
    }

    /** Each folder or workspace file has its own. */
    protected async key(): Promise<string> {
        await this.workspaces.ready;
        const opened = this.workspaces.workspace?.resource.toString() ?? '';
        // FNV-1a, for a short name; two folders with the same one would share a layout, no more.
        let hash = 0x811c9dc5;
        for (const byte of new TextEncoder().encode(opened)) {
            hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
        }
        return `layout/${hash.toString(16)}`;
    }
}
