/** An access token and until when it is good. Lives in memory only. */
export interface Token {
  value: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** What renewing needs of its surroundings. */
export interface RefreshParts {
  /** The browser's locks, held by one tab at a time; none outside of secure contexts. */
  locks: Pick<LockManager, "request"> | undefined;
  /** The token that this tab has now, maybe from another tab. */
  current: () => Token | null;
  /** Asks the API: null when the login is over. Throws when the API is not reached. */
  exchange: () => Promise<Token | null>;
  /** Tells the other tabs, and this one. */
  tell: (token: Token | null) => void;
  now: () => number;
}

const LOCK = "coditect.refresh";
/** A token that ends sooner is not worth sending, in milliseconds. */
export const NEARLY_OVER = 10_000;

const nextTask = () => new Promise<void>((done) => { setTimeout(done, 0); });

/**
 * Makes the one way to a new token. However many calls and tabs want one, one exchange goes on at a time: the cookie is
 * renewed by each, and who comes late takes what another tab was given. `stale` is a token that was refused.
 */
export function refresher(parts: RefreshParts): (stale?: string | null) => Promise<Token | null> {
  let running: Promise<Token | null> | null = null;
  const once = async (stale: string | null) => {
    // What another tab told while this one waited arrives as a task of its own.
    await nextTask();
    const current = parts.current();
    if (current && current.value !== stale && current.expiresAt - parts.now() > NEARLY_OVER) return current;
    const token = await parts.exchange();
    parts.tell(token);
    return token;
  };
  const exclusive = async (work: () => Promise<Token | null>): Promise<Token | null> => (parts.locks ? parts.locks.request(LOCK, work) : work());
  return (stale = null) => {
    running ??= exclusive(() => once(stale)).finally(() => { running = null; });
    return running;
  };
}
