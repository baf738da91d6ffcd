import { ShellLayoutRestorer } from '@theia/core/lib/browser';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { ServiceConnectionProvider } from '@theia/core/lib/browser/messaging/service-connection-provider';
import { ContainerModule } from '@theia/core/shared/inversify';
import { WorkspaceTrustService } from '@theia/workspace/lib/browser/workspace-trust-service';
import { UNSAVED_PATH, UnsavedServer } from '../common/unsaved';
import { SharedLayout } from './layout';
import { Session } from './session';
import { Stopping } from './stopping';
import { Themes } from './theme';
import { OwnWorkspaceTrust } from './trust';
import { UnsavedText } from './unsaved-text';

export default new ContainerModule((bind, _unbind, _isBound, rebind) => {
    for (const contribution of [Session, Themes, UnsavedText, SharedLayout, Stopping]) {
        bind<FrontendApplicationContribution>(contribution as never).toSelf().inSingletonScope();
        bind(FrontendApplicationContribution).toService(contribution);
    }
    bind(UnsavedServer).toDynamicValue(({ container }) =>
        ServiceConnectionProvider.createProxy<UnsavedServer>(container, UNSAVED_PATH)).inSingletonScope();
    rebind(ShellLayoutRestorer).toService(SharedLayout);
    bind(OwnWorkspaceTrust).toSelf().inSingletonScope();
    rebind(WorkspaceTrustService).toService(OwnWorkspaceTrust);
});
