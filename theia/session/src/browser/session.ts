import { Emitter, Event } from '@theia/core/lib/common';
import { nls } from '@theia/core/lib/common/nls';
import { FrontendApplicationContribution } from '@theia/core/lib/browser/frontend-application-contribution';
import { StatusBar, StatusBarAlignment } from '@theia/core/lib/browser/status-bar/status-bar';
import { inject, injectable } from '@theia/core/shared/inversify';
import { Link } from '../common/link';
import { SOCKET_PATH, SharedEntry, Tells } from '../common/protocol';
import { SharedState } from '../common/shared-state';

/** How often the gateway is told that a person types, at most, in milliseconds. */
const INPUT_EVERY = 10_000;
/** What a person does; a program's events are not trusted ones (DOM standard, `isTrusted`). */
const INPUT = ['keydown', 'pointerdown', 'wheel'];
const STATUS = 'coditect-session';

/** This tab's part in the session that all tabs of the workspace share, by way of the pod's gateway. */
@injectable()
export class Session implements FrontendApplicationContribution {
    @inject(StatusBar) protected readonly statusBar: StatusBar;

    protected readonly changedEmitter = new Emitter<SharedEntry>();
    /** Another tab changed a shared value. */
    readonly onDidChange: Event<SharedEntry> = this.changedEmitter.event;
    protected readonly stoppingEmitter = new Emitter<number>();
    /** The workspace is about to stop; how many seconds there are. Whoever handles it calls `saved`. */
    readonly onStopping: Event<number> = this.stoppingEmitter.event;

    /** Resolved when the gateway has welcomed this tab, or is known not to be there. */
    readonly ready: Promise<void>;

    protected tabs: readonly string[] = [];
    protected readonly own = randomName();
    protected inputAt = Number.NEGATIVE_INFINITY;
    protected isReady: () => void;

    protected readonly link = new Link(
        ear => {
            const socket = new WebSocket(SOCKET_PATH.replace(/^/, `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`));
            socket.onopen = () => ear.opened();
            socket.onmessage = ({ data }) => typeof data === 'string' && ear.heard(data);
            // An error is always followed by this.
            socket.onclose = ({ code }) => ear.closed(code);
            return { send: text => socket.send(text), close: () => socket.close() };
        },
        (milliseconds, run) => {
            const timer = setTimeout(run, milliseconds);
            return () => clearTimeout(timer);
        },
        this.own,
        told => this.hear(told),
        () => this.show());

    /** The last tab that a person used says how things are: what is shared is how they left it. */
    readonly shared = new SharedState(
        said => this.link.say(said),
        (_, mine) => mine,
        entry => this.changedEmitter.fire(entry),
        key => console.warn(`there is no room for ${key} in what the tabs share`));

    constructor() {
        this.ready = new Promise(resolve => this.isReady = resolve);
    }

    initialize(): void {
        for (const kind of INPUT) {
            document.addEventListener(kind, event => event.isTrusted && this.input(), { capture: true, passive: true });
        }
        const again = () => document.visibilityState === 'visible' && this.link.start();
        document.addEventListener('visibilitychange', again);
        window.addEventListener('online', again);
        window.addEventListener('pagehide', event => event.persisted || this.link.end());
        this.link.start();
        setTimeout(this.isReady, 3_000);
    }

    /** How many other tabs are open in this workspace, as far as is known. */
    get others(): number {
        return this.tabs.filter(tab => tab !== this.own).length;
    }

    /** Says that everything is on the volume. */
    saved(): void {
        this.link.say({ type: 'saved' });
    }

    protected input(): void {
        const now = performance.now();
        if (now - this.inputAt >= INPUT_EVERY && this.link.say({ type: 'input' })) {
            this.inputAt = now;
        }
    }

    protected hear(told: Tells): void {
        if (told.type === 'welcome' || told.type === 'tabs') {
            this.tabs = told.tabs;
            this.show();
        }
        this.shared.hear(told);
        if (told.type === 'welcome') {
            this.isReady();
        } else if (told.type === 'stopping') {
            this.stoppingEmitter.fire(told.seconds);
        }
    }

    protected show(): void {
        const { state } = this.link;
        if (state === 'waiting') {
            // There may be no gateway at all, as on a developer's machine: files are saved all the same.
            this.isReady();
        }
        const [text, tooltip] = {
            joined: this.others > 0
                ? [`$(multiple-windows) ${this.others + 1}`, nls.localize('coditect/session/tabs', 'This workspace is open in {0} tabs.', this.others + 1)]
                : ['', ''],
            waiting: ['$(debug-disconnect)', nls.localize('coditect/session/waiting', 'The session is not shared with other tabs now. Files are saved all the same.')],
            'shut-out': [`$(lock) ${nls.localize('coditect/session/out', 'Signed out')}`,
                nls.localize('coditect/session/outLong', 'Your sign-in has ended. Open the workspace again from the web app.')],
            reload: [`$(refresh) ${nls.localize('coditect/session/reload', 'Reload')}`,
                nls.localize('coditect/session/reloadLong', 'This page is older than its workspace. Reload it.')],
            ended: ['', '']
        }[state];
        if (text) {
            this.statusBar.setElement(STATUS, { text, tooltip, alignment: StatusBarAlignment.RIGHT, priority: 200, accessibilityInformation: { label: tooltip } });
        } else {
            this.statusBar.removeElement(STATUS);
        }
    }
}

function randomName(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, '0')).join('');
}
