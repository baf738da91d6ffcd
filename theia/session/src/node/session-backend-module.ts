import { ConnectionHandler, RpcConnectionHandler } from '@theia/core/lib/common/messaging';
import { BackendApplicationContribution } from '@theia/core/lib/node';
import { BrowserConnectionTokenBackendContribution } from '@theia/core/lib/node/hosting/browser-connection-token';
import { ContainerModule } from '@theia/core/shared/inversify';
import { ProcessManager } from '@theia/process/lib/node';
import { TaskManager } from '@theia/task/lib/node/task-manager';
import { UNSAVED_PATH, UnsavedServer } from '../common/unsaved';
import { ActivityContribution, WatchedProcesses, WatchedTasks } from './activity-contribution';
import { FramedConnectionToken } from './connection-token';
import { HealthContribution } from './health';
import { HomeUnsavedServer } from './unsaved-server';

export default new ContainerModule((bind, _unbind, _isBound, rebind) => {
    bind(HomeUnsavedServer).toSelf().inSingletonScope();
    bind(UnsavedServer).toService(HomeUnsavedServer);
    bind(ConnectionHandler).toDynamicValue(({ container }) =>
        new RpcConnectionHandler(UNSAVED_PATH, () => container.get<UnsavedServer>(UnsavedServer))).inSingletonScope();

    bind(ActivityContribution).toSelf().inSingletonScope();
    bind(BackendApplicationContribution).toService(ActivityContribution);
    bind(WatchedProcesses).toSelf().inSingletonScope();
    rebind(ProcessManager).toService(WatchedProcesses);
    bind(WatchedTasks).toSelf().inSingletonScope();
    rebind(TaskManager).toService(WatchedTasks);

    bind(FramedConnectionToken).toSelf().inSingletonScope();
    rebind(BrowserConnectionTokenBackendContribution).toService(FramedConnectionToken);

    bind(HealthContribution).toSelf().inSingletonScope();
    bind(BackendApplicationContribution).toService(HealthContribution);
});
