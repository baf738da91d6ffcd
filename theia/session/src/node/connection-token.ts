import * as express from '@theia/core/shared/express';
import { BackendApplicationHosts } from '@theia/core/lib/node/hosting/backend-application-hosts';
import { BROWSER_TOKEN_COOKIE_NAME, BrowserConnectionTokenBackendContribution } from '@theia/core/lib/node/hosting/browser-connection-token';
import { inject, injectable } from '@theia/core/shared/inversify';
import { isOwnHost, tokenCookie } from '../common/own-host';

/**
 * Theia's own cookie is `SameSite=Strict`: within the web app's frame no browser sends it, and without it the back end
 * takes no socket and gives no file. This one works there.
 */
@injectable()
export class FramedConnectionToken extends BrowserConnectionTokenBackendContribution {
    @inject(BackendApplicationHosts) protected readonly hosts: BackendApplicationHosts;

    protected override expressMiddleware(request: express.Request, response: express.Response, next: express.NextFunction): void {
        // The pod's own probe knows no name.
        if (request.path !== '/health' && !isOwnHost(request.headers.host, this.hosts.hosts)) {
            response.sendStatus(421);
            return;
        }
        const existing = this.getTokenFromCookie(request);
        if (!existing || !this.isTokenValid(existing)) {
            response.append('set-cookie', tokenCookie(BROWSER_TOKEN_COOKIE_NAME, this.browserConnectionToken.value));
        }
        next();
    }
}
