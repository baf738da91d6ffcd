import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { inject, injectable } from '@theia/core/shared/inversify';
import { SharedLayout } from './layout';
import { Session } from './session';
import { UnsavedText } from './unsaved-text';

/** What of the time that there is remains for the answer's way, in milliseconds. */
const MARGIN = 1_500;

/** Before the workspace stops, everything is saved, and only then said to be. */
@injectable()
export class Stopping implements FrontendApplicationContribution {
    @inject(Session) protected readonly session: Session;
    @inject(UnsavedText) protected readonly unsaved: UnsavedText;
    @inject(SharedLayout) protected readonly layout: SharedLayout;

    initialize(): void {
        this.session.onStopping(seconds => this.prepare(seconds * 1000 - MARGIN));
    }

    protected async prepare(milliseconds: number): Promise<void> {
        const late = new Promise<'late'>(resolve => setTimeout(resolve, milliseconds, 'late'));
        const share = Promise.race([this.layout.share(), late]);
        // A tab that is late does not say that it has saved: the gateway waits no longer, and tells.
        if (await Promise.race([this.unsaved.saveAll(), late]) !== 'late') {
            await share;
            this.session.saved();
        }
    }
}
