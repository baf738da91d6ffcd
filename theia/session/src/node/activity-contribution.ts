import { Emitter } from '@theia/core/lib/common';
import { BackendApplicationContribution } from '@theia/core/lib/node';
import { inject, injectable } from '@theia/core/shared/inversify';
import { Process, ProcessManager, TerminalProcess } from '@theia/process/lib/node';
import { Task } from '@theia/task/lib/node/task';
import { TaskManager } from '@theia/task/lib/node/task-manager';
import { Activity, Redraw } from './activity';
import { Gateway } from './gateway';

/** Sees what terminals print. */
@injectable()
export class WatchedProcesses extends ProcessManager {
    protected readonly printedEmitter = new Emitter<void>();
    readonly onDidPrint = this.printedEmitter.event;

    override register(process: Process): number {
        const id = super.register(process);
        // It registers itself before its constructor has made its terminal.
        setImmediate(() => {
            if (process instanceof TerminalProcess) {
                this.watch(process);
            }
        });
        return id;
    }

    protected watch(terminal: TerminalProcess): void {
        const redraw = new Redraw(() => performance.now());
        const resize = terminal.resize.bind(terminal);
        terminal.resize = (columns, rows) => {
            redraw.resized();
            resize(columns, rows);
        };
        // The prompt with which a shell begins is no use either: a tab that comes back may have opened it.
        redraw.resized();
        const output = terminal.createOutputStream();
        output.on('data', () => {
            if (!redraw.isOne) {
                this.printedEmitter.fire();
            }
        });
        output.on('error', () => output.dispose());
        terminal.onClose(() => output.dispose());
    }
}

/** Sees when tasks begin and end. */
@injectable()
export class WatchedTasks extends TaskManager {
    protected readonly changedEmitter = new Emitter<void>();
    readonly onDidChange = this.changedEmitter.event;

    /** How many run. */
    get running(): number {
        return this.tasks.size;
    }

    override register(task: Task, context?: string): number {
        const id = super.register(task, context);
        this.changedEmitter.fire();
        return id;
    }

    override delete(task: Task): void {
        super.delete(task);
        this.changedEmitter.fire();
    }
}

/** Says to the gateway what terminals and tasks do. */
@injectable()
export class ActivityContribution implements BackendApplicationContribution {
    @inject(WatchedProcesses) protected readonly processes: WatchedProcesses;
    @inject(WatchedTasks) protected readonly tasks: WatchedTasks;

    protected readonly gateway = new Gateway();
    protected unheard = false;
    protected readonly activity = new Activity(
        word => this.gateway.say(word).then(() => this.heard(true), error => {
            this.heard(false, error);
            throw error;
        }),
        () => this.tasks.running,
        {
            now: () => performance.now(),
            later: (milliseconds, run) => {
                const timer = setTimeout(run, milliseconds);
                timer.unref();
                return () => clearTimeout(timer);
            }
        });

    onStart(): void {
        this.processes.onDidPrint(() => this.activity.printed());
        this.tasks.onDidChange(() => this.activity.tasksChanged());
        this.activity.start();
    }

    onStop(): void {
        this.activity.end();
    }

    /** Says it once, not every half minute. */
    protected heard(heard: boolean, error?: unknown): void {
        if (heard === this.unheard) {
            this.unheard = !heard;
            if (heard) {
                console.info('the gateway hears of the use of this workspace again');
            } else {
                console.warn('the gateway does not hear of the use of this workspace', error);
            }
        }
    }
}
