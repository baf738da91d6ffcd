import { nls } from '@theia/core/lib/common/nls';
import { injectable } from '@theia/core/shared/inversify';
import { FileDownloadServiceImpl } from '@theia/filesystem/lib/browser/download/file-download-service';

/** How long the browser may take to begin with what it was given, in milliseconds. */
const BEGINS = 60_000;

/**
 * Downloads from within the web app's frame. A browser that keeps the workspace's cookie for this frame alone does not
 * send it with a download that a link begins (Chromium 156), so the page fetches the file, and the link leads to that.
 */
@injectable()
export class FramedDownload extends FileDownloadServiceImpl {
    protected override async forceDownload(id: string, title: string): Promise<void> {
        try {
            const answer = await fetch(`${this.endpoint()}/download/?id=${id}`, { credentials: 'same-origin' });
            if (!answer.ok) {
                throw new Error(`${answer.status} ${answer.statusText}`);
            }
            const link = document.createElement('a');
            link.href = URL.createObjectURL(await answer.blob());
            link.download = title;
            link.click();
            setTimeout(() => URL.revokeObjectURL(link.href), BEGINS);
        } catch (error) {
            this.messageService.error(nls.localize('coditect/download/failed', '{0} was not downloaded: {1}', title, error instanceof Error ? error.message : String(error)));
        }
    }
}
