import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { inject, injectable } from '@theia/core/shared/inversify';
import { MonacoThemingService } from '@theia/monaco/lib/browser/monaco-theming-service';
import { DARK, LIGHT, themeOf } from '../common/theme';

/** The product's two themes. The application's configuration makes them the default. */
@injectable()
export class Themes implements FrontendApplicationContribution {
    @inject(MonacoThemingService) protected readonly theming: MonacoThemingService;

    initialize(): void {
        for (const [id, tones, uiTheme] of [['coditect-light', LIGHT, 'vs'], ['coditect-dark', DARK, 'vs-dark']] as const) {
            const json = themeOf(tones);
            this.theming.registerParsedTheme({ id, label: json.name, uiTheme, json });
        }
    }
}
