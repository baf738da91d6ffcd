import { ShellLayoutRestorer, WidgetFactory } from '@theia/core/lib/browser';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { ServiceConnectionProvider } from '@theia/core/lib/browser/messaging/service-connection-provider';
import { TabBarToolbarContribution } from '@theia/core/lib/browser/shell/tab-bar-toolbar';
import { CommandContribution, MenuContribution } from '@theia/core/lib/common';
import { ContainerModule } from '@theia/core/shared/inversify';
import { FileDownloadService } from '@theia/filesystem/lib/common/download/file-download';
import { WorkspaceTrustService } from '@theia/workspace/lib/browser/workspace-trust-service';
import { UNSAVED_PATH, UnsavedServer } from '../common/unsaved';
import { FramedDownload } from './download';
import { FirstLook } from './first-look';
import { SharedLayout } from './layout';
import { Leaving } from './leaving';
import { MarkdownPreview, MarkdownPreviewContribution, previewFactory } from './markdown-preview';
import { Session } from './session';
import { Stopping } from './stopping';
import { Themes } from './theme';
import { OwnWorkspaceTrust } from './trust';
import { UnsavedText } from './unsaved-text';
import '../../src/browser/style/preview.css';

export default new ContainerModule((bind, _unbind, _isBound, rebind) => {
    for (const contribution of [Session, Themes, UnsavedText, SharedLayout, FirstLook, Stopping, Leaving]) {
        bind<FrontendApplicationContribution>(contribution as never).toSelf().inSingletonScope();
        bind(FrontendApplicationContribution).toService(contribution);
    }
    bind(UnsavedServer).toDynamicValue(({ container }) =>
        ServiceConnectionProvider.createProxy<UnsavedServer>(container, UNSAVED_PATH)).inSingletonScope();
    bind(FramedDownload).toSelf().inSingletonScope();
    rebind(FileDownloadService).toService(FramedDownload);
    rebind(ShellLayoutRestorer).toService(SharedLayout);
    bind(MarkdownPreview).toSelf();
    bind(WidgetFactory).toDynamicValue(({ container }) => previewFactory(() => container.get(MarkdownPreview))).inSingletonScope();
    bind(MarkdownPreviewContribution).toSelf().inSingletonScope();
    for (const kind of [CommandContribution, MenuContribution, TabBarToolbarContribution]) {
        bind(kind).toService(MarkdownPreviewContribution);
    }
    bind(OwnWorkspaceTrust).toSelf().inSingletonScope();
    rebind(WorkspaceTrustService).toService(OwnWorkspaceTrust);
});
