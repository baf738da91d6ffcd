import { AfterClose, Said, Tells, VERSION, afterClose, readTells } from './protocol';

/** A socket, as little of it as is needed. */
export interface Channel {
    send(text: string): void;
    close(): void;
}

/** What a socket says. */
export interface Ear {
    opened(): void;
    heard(text: string): void;
    /** Once, and nothing after it. */
    closed(code: number): void;
}

/** Opens a socket. */
export type Dial = (ear: Ear) => Channel;

/** Runs something later, in milliseconds; what is given back takes it back. */
export type Later = (milliseconds: number, run: () => void) => () => void;

/** How the connection stands. `joined`: the gateway has welcomed this tab. */
export type LinkState = 'joined' | 'waiting' | 'shut-out' | 'reload' | 'ended';

/** First and longest pause before another attempt, in milliseconds. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;

/**
 * A tab's connection with the gateway, made anew when it breaks: with growing pauses of random length, so that the tabs
 * of a pod that restarts do not all come at once. It ends where another attempt cannot help.
 */
export class Link {
    state: LinkState = 'waiting';
    private channel: Channel | undefined;
    private cancel: (() => void) | undefined;
    private pause = FIRST_PAUSE;
    private attempt = 0;

    /**
     * @param tab the tab's own name: 1 to 64 letters, digits, `-` and `_`
     * @param tells is given what the gateway says, the welcome first after each connection
     * @param changed is called whenever `state` has changed
     */
    constructor(
        private readonly dial: Dial,
        private readonly later: Later,
        private readonly tab: string,
        private readonly tells: (told: Tells) => void,
        private readonly changed: () => void,
        private readonly random: () => number = Math.random
    ) { }

    /** Connects. Also what tries at once again, after a pause or after having been shut out. */
    start(): void {
        if (this.state === 'joined' || this.state === 'ended' || this.channel) {
            return;
        }
        this.cancel?.();
        this.cancel = undefined;
        this.enter('waiting');
        const attempt = ++this.attempt;
        const current = () => attempt === this.attempt;
        this.channel = this.dial({
            opened: () => {
                if (current()) {
                    this.channel?.send(JSON.stringify({ type: 'hello', version: VERSION, tab: this.tab } satisfies Said));
                }
            },
            heard: text => {
                const told = current() ? readTells(text) : undefined;
                if (told?.type === 'welcome') {
                    this.pause = FIRST_PAUSE;
                    this.enter('joined');
                }
                // Before the welcome nothing is meant for us.
                if (told && this.state === 'joined') {
                    this.tells(told);
                }
            },
            closed: code => {
                if (current()) {
                    this.channel = undefined;
                    this.lost(afterClose(code));
                }
            }
        });
    }

    /** Says something; false if nobody is there to hear it. */
    say(said: Said): boolean {
        if (this.state !== 'joined' || !this.channel) {
            return false;
        }
        this.channel.send(JSON.stringify(said));
        return true;
    }

    /** Ends it for good. */
    end(): void {
        this.attempt++;
        this.cancel?.();
        this.channel?.close();
        this.channel = undefined;
        this.enter('ended');
    }

    private lost(what: AfterClose): void {
        if (what === 'shut-out' || what === 'reload') {
            this.enter(what);
            return;
        }
        this.enter('waiting');
        const longest = what === 'later' ? LONGEST_PAUSE : this.pause;
        this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
        this.cancel = this.later(longest * (0.5 + this.random() / 2), () => this.start());
    }

    private enter(state: LinkState): void {
        if (this.state !== state) {
            this.state = state;
            this.changed();
        }
    }
}
