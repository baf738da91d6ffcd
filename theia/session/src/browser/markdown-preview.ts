import { CommandContribution, CommandRegistry, Disposable, MenuContribution, MenuModelRegistry, URI } from '@theia/core/lib/common';
import { MarkdownStringImpl } from '@theia/core/lib/common/markdown-rendering';
import { nls } from '@theia/core/lib/common/nls';
import { ApplicationShell, BaseWidget, Message, Navigatable, OpenerService, Widget, WidgetFactory, WidgetManager, open } from '@theia/core/lib/browser';
import { MarkdownRenderer } from '@theia/core/lib/browser/markdown-rendering/markdown-renderer';
import { TabBarToolbarContribution, TabBarToolbarRegistry } from '@theia/core/lib/browser/shell/tab-bar-toolbar';
import { inject, injectable } from '@theia/core/shared/inversify';
import { EDITOR_CONTEXT_MENU, EditorWidget } from '@theia/editor/lib/browser';
import { MonacoTextModelService } from '@theia/monaco/lib/browser/monaco-text-model-service';

/** Names the kind of widget in a layout. */
export const PREVIEW = 'coditect-markdown-preview';
/** How long after the last change the preview is drawn again, in milliseconds. */
const SETTLES = 200;

const OPEN = {
    id: 'coditect.markdown.preview',
    label: nls.localize('coditect/markdown/preview', 'Open Preview to the Side'),
    iconClass: 'codicon codicon-open-preview'
};

/** What a Markdown file looks like, as it is typed. Theia's renderer draws it, which lets no program through. */
@injectable()
export class MarkdownPreview extends BaseWidget implements Navigatable {
    @inject(MarkdownRenderer) protected readonly renderer: MarkdownRenderer;
    @inject(MonacoTextModelService) protected readonly models: MonacoTextModelService;
    @inject(OpenerService) protected readonly opener: OpenerService;

    protected uri: URI;
    protected drawn: Disposable | undefined;
    protected timer: ReturnType<typeof setTimeout> | undefined;

    /** Follows a file. */
    async showFile(uri: URI): Promise<void> {
        this.uri = uri;
        this.id = `${PREVIEW}:${uri}`;
        this.title.label = nls.localize('coditect/markdown/title', 'Preview {0}', uri.path.base);
        this.title.caption = uri.path.toString();
        this.title.iconClass = 'codicon codicon-open-preview';
        this.title.closable = true;
        this.addClass('coditect-markdown-preview');
        this.node.tabIndex = 0;
        this.node.addEventListener('click', event => this.follow(event));
        const reference = await this.models.createModelReference(uri);
        if (this.isDisposed) {
            reference.dispose();
            return;
        }
        this.toDispose.push(reference);
        const draw = () => this.draw(reference.object.getText());
        this.toDispose.push(reference.object.onDidChangeContent(() => {
            clearTimeout(this.timer);
            this.timer = setTimeout(draw, SETTLES);
        }));
        this.toDispose.push(Disposable.create(() => {
            clearTimeout(this.timer);
            this.drawn?.dispose();
        }));
        draw();
    }

    getResourceUri(): URI {
        return this.uri;
    }

    createMoveToUri(resourceUri: URI): URI {
        return resourceUri;
    }

    protected draw(text: string): void {
        const { scrollTop } = this.node;
        const rendered = this.renderer.render(new MarkdownStringImpl(text, { supportHtml: false, isTrusted: false }));
        this.drawn?.dispose();
        this.drawn = rendered;
        this.node.replaceChildren(rendered.element);
        this.node.scrollTop = scrollTop;
    }

    /** Files beside this one open here; everything else is the renderer's business. */
    protected follow(event: MouseEvent): void {
        const link = event.target instanceof Element ? event.target.closest('a') : null;
        const target = link?.getAttribute('data-href') ?? link?.getAttribute('href');
        if (!target || /^[a-z][a-z0-9+.-]*:/i.test(target) || target.startsWith('//')) {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
        if (!target.startsWith('#')) {
            open(this.opener, this.uri.parent.resolve(decodeURI(target.replace(/[?#].*$/, ''))))
                .catch(error => console.warn(`${target} could not be opened`, error));
        }
    }

    protected override onActivateRequest(message: Message): void {
        super.onActivateRequest(message);
        this.node.focus();
    }
}

/** Opens previews, from the toolbar of an editor, its menu and the palette. */
@injectable()
export class MarkdownPreviewContribution implements CommandContribution, MenuContribution, TabBarToolbarContribution {
    @inject(ApplicationShell) protected readonly shell: ApplicationShell;
    @inject(WidgetManager) protected readonly widgets: WidgetManager;

    registerCommands(commands: CommandRegistry): void {
        const of = (widget: unknown) => markdownOf(widget) ?? markdownOf(this.shell.currentWidget);
        commands.registerCommand(OPEN, {
            isEnabled: widget => !!of(widget),
            isVisible: widget => !!of(widget),
            execute: async widget => {
                const uri = of(widget);
                if (uri) {
                    const preview = await this.widgets.getOrCreateWidget<MarkdownPreview>(PREVIEW, uri.toString());
                    if (!preview.isAttached) {
                        await this.shell.addWidget(preview, { area: 'main', mode: 'split-right' });
                    }
                    await this.shell.activateWidget(preview.id);
                }
            }
        });
    }

    registerMenus(menus: MenuModelRegistry): void {
        menus.registerMenuAction([...EDITOR_CONTEXT_MENU, '1_markdown'], { commandId: OPEN.id });
    }

    registerToolbarItems(toolbar: TabBarToolbarRegistry): void {
        toolbar.registerItem({ id: OPEN.id, command: OPEN.id, tooltip: OPEN.label, isVisible: widget => !!markdownOf(widget) });
    }
}

function markdownOf(widget: unknown): URI | undefined {
    const uri = widget instanceof Widget && widget instanceof EditorWidget ? widget.editor.uri : undefined;
    return uri && /\.(md|markdown)$/i.test(uri.path.base) ? uri : undefined;
}

/** Makes previews, also those of a layout that is restored. */
export function previewFactory(make: () => MarkdownPreview): WidgetFactory {
    return {
        id: PREVIEW,
        createWidget: async (uri: string) => {
            const preview = make();
            await preview.showFile(new URI(uri));
            return preview;
        }
    };
}
