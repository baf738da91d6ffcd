import { URI } from '@theia/core/lib/common';
import { FileUri } from '@theia/core/lib/common/file-uri';
import { injectable } from '@theia/core/shared/inversify';
import { WorkspaceTrustService } from '@theia/workspace/lib/browser/workspace-trust-service';

/**
 * The root of the workspace's volume is its person's own, and trusted without a question; whatever else is opened as a
 * workspace is asked about, also below that root (docs/adr/0015).
 */
@injectable()
export class OwnWorkspaceTrust extends WorkspaceTrustService {
    protected override async calculateWorkspaceTrust(): Promise<boolean | undefined> {
        return await this.isOwn() ? true : super.calculateWorkspaceTrust();
    }

    override async addToTrustedFolders(): Promise<void> {
        // What is below a listed folder is trusted with it: the root is never listed.
        if (!await this.isOwn()) {
            await super.addToTrustedFolders();
        }
    }

    protected async isOwn(): Promise<boolean> {
        const own = (await this.envVariablesServer.getValue('CODITECT_FOLDER'))?.value;
        const opened: URI[] = this.getWorkspaceUris();
        return !!own && opened.length === 1 && opened[0].isEqual(FileUri.create(own));
    }
}
