import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { injectable } from '@theia/core/shared/inversify';
import { Twice } from '../common/twice';

/** Where the gateway says who may frame this page. */
const SESSION = '/coditect/session';

/**
 * The way out of the editor by keyboard: it takes Tab for itself, so Escape twice hands the focus to the page around it
 * (WCAG 2.1.2). Only the web app is told, by its exact origin.
 */
@injectable()
export class Leaving implements FrontendApplicationContribution {
    protected readonly escape = new Twice('Escape', () => performance.now());
    protected webApp: string | undefined;

    initialize(): void {
        if (window.parent === window) {
            return;
        }
        // First of all: Escape also closes menus and dialogs, which may keep it to themselves.
        window.addEventListener('keydown', event => {
            if (this.escape.pressed(event.key, event.repeat)) {
                this.leave().catch(error => console.warn('the page around the editor cannot be told', error));
            }
        }, { capture: true, passive: true });
    }

    protected async leave(): Promise<void> {
        this.webApp ??= await origin();
        window.parent.postMessage({ version: 1, type: 'coditect:leave' }, this.webApp);
    }
}

async function origin(): Promise<string> {
    const answer = await fetch(SESSION, { credentials: 'same-origin', cache: 'no-store' });
    const { web_app } = await answer.json() as { web_app?: unknown };
    if (!answer.ok || typeof web_app !== 'string') {
        throw new Error(`${SESSION} answered ${answer.status}`);
    }
    return web_app;
}
