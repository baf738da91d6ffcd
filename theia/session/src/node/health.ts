import * as express from '@theia/core/shared/express';
import { BackendApplicationContribution } from '@theia/core/lib/node';
import { injectable } from '@theia/core/shared/inversify';

/** Says that this program answers. Only the pod's own probe asks: the gateway answers this path itself. */
@injectable()
export class HealthContribution implements BackendApplicationContribution {
    configure(app: express.Application): void {
        app.get('/health', (_request, response) => {
            response.json({ status: 'ok' });
        });
    }
}
