import { FrontendApplication, OpenerService, open } from '@theia/core/lib/browser';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { inject, injectable } from '@theia/core/shared/inversify';
import { FileService } from '@theia/filesystem/lib/browser/file-service';
import { WorkspaceService } from '@theia/workspace/lib/browser';

/** Of Theia's file tree. */
const EXPLORER = 'explorer-view-container';

/** What somebody sees who has never been here: their files, and what to do first. */
@injectable()
export class FirstLook implements FrontendApplicationContribution {
    @inject(OpenerService) protected readonly opener: OpenerService;
    @inject(FileService) protected readonly files: FileService;
    @inject(WorkspaceService) protected readonly workspaces: WorkspaceService;

    protected isFirst = false;

    /** Only called if no layout was restored. */
    initializeLayout(): void {
        this.isFirst = true;
    }

    async onDidInitializeLayout({ shell }: FrontendApplication): Promise<void> {
        if (!this.isFirst) {
            return;
        }
        await shell.revealWidget(EXPLORER);
        const [root] = await this.workspaces.roots;
        const readme = root?.resource.resolve('README.md');
        if (readme && await this.files.exists(readme)) {
            await open(this.opener, readme, { mode: 'open' });
        }
    }
}
