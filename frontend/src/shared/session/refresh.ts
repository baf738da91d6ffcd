/** An access token and until when it is good. Lives in memory only. */
export interface Token {
  value: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** What renewing needs of its surroundings. */
export interface RefreshParts {
  /** The browser's locks, held by one tab at a time; none outside of secure contexts. */
  locks: Pick<LockManager, "request" | "query"> | undefined;
  /** The token that this tab has now, maybe from another tab. */
  current: () => Token | null;
  /** Asks the API: null when the login is over. Throws when the API is not reached. */
  exchange: () => Promise<Token | null>;
  /** Tells the other tabs, and this one. */
  tell: (token: Token | null) => void;
  /** Asks the other tabs for the token that they have. */
  ask: () => void;
  /** Calls `heard` whenever this tab's token changes, until what it gives is called. */
  listen: (heard: () => void) => () => void;
  now: () => number;
}

/** The second one is for those who waited in vain for the first: whoever holds that is frozen, and may be for hours. */
const LOCKS = ["coditect.refresh", "coditect.refresh.again"];
/** Held beside those by whoever has renewed; the rest of its name is when the new token ends. */
const RENEWED = "coditect.renewed.";
/** A token that ends sooner is not worth sending, in milliseconds. */
export const NEARLY_OVER = 10_000;
/**
 * How long a tab waits for its turn (longer than the API may take), for the word of the tab that has renewed, and how
 * long that one can be seen, in milliseconds.
 */
const TURN = 12_000;
const WORD = 5_000;
const SEEN = 30_000;

const sleep = (ms: number) => new Promise<void>((done) => { setTimeout(done, ms); });

/**
 * Makes the one way to a new token. However many calls and tabs want one, one exchange goes on at a time: the cookie is
 * renewed by each, and who comes late takes what another tab was given.
 *
 * What one tab tells another and whose turn it is go different ways through the browser, and nobody says which comes
 * first. So whoever has renewed holds a lock that says so before the turn passes on: the next one sees it, and waits for
 * the word. `stale` is a token that was refused.
 */
export function refresher(parts: RefreshParts): (stale?: string | null) => Promise<Token | null> {
  let running: Promise<Token | null> | null = null;
  return (stale = null) => {
    running ??= renewed(parts, stale).finally(() => { running = null; });
    return running;
  };
}

async function renewed(parts: RefreshParts, stale: string | null): Promise<Token | null> {
  const { locks } = parts;
  const good = () => {
    const token = parts.current();
    return token && token.value !== stale && token.expiresAt - parts.now() > NEARLY_OVER ? token : null;
  };
  let tell: () => void = () => undefined;
  const told = new Promise<void>((done) => { tell = done; });
  const deaf = parts.listen(() => { if (good()) tell(); });
  try {
    for (const name of locks ? LOCKS : []) {
      const turn = await inTurn(locks, name, told, async () => good() ?? await word(parts, told, good) ?? exchanged(parts, good));
      if (turn !== "never") return turn;
      const token = good();
      if (token) return token;
    }
    return await exchanged(parts, good);
  } finally {
    deaf();
  }
}

/** Does the work when it is this tab's turn; `never` if it was not in time, or is not needed any more. */
async function inTurn<Done>(locks: RefreshParts["locks"], name: string, told: Promise<void>, work: () => Promise<Done>): Promise<Done | "never"> {
  if (!locks) return "never";
  const waiting = new AbortController();
  let begun = false;
  void Promise.race([told, sleep(TURN)]).then(() => { waiting.abort(); });
  try {
    return await locks.request(name, { signal: waiting.signal }, () => { begun = true; return work(); });
  } catch (error) {
    if (begun) throw error;
    return "never";
  }
}

/** The token of a tab that has renewed lately, if one has: told already, or asked for by one that came later. */
async function word({ locks, current, now, ask }: RefreshParts, told: Promise<void>, good: () => Token | null): Promise<Token | null> {
  const held = (await locks?.query())?.held ?? [];
  // It may have come while the browser answered: then what is held is no newer than what this tab has.
  const come = good();
  if (come) return come;
  const newest = Math.max(0, ...held.map(({ name = "" }) => (name.startsWith(RENEWED) ? Number(name.slice(RENEWED.length)) : 0)));
  if (newest - now() <= NEARLY_OVER || newest <= (current()?.expiresAt ?? 0)) return null;
  ask();
  await Promise.race([told, sleep(WORD)]);
  return good();
}

async function exchanged(parts: RefreshParts, good: () => Token | null): Promise<Token | null> {
  const token = await parts.exchange();
  const meanwhile = good();
  // While this tab was frozen the others went on: its own answer is an old one.
  if (meanwhile && (token === null || token.expiresAt <= meanwhile.expiresAt)) return meanwhile;
  if (token) await seen(parts.locks, token);
  parts.tell(token);
  return token;
}

/** Shows for a while that there is a new token; returns as soon as others can see it. */
async function seen(locks: RefreshParts["locks"], token: Token): Promise<void> {
  if (!locks) return;
  await new Promise<void>((shown) => {
    void locks.request(`${RENEWED}${token.expiresAt}`, { mode: "shared" }, () => { shown(); return sleep(SEEN); }).catch(() => { shown(); });
  });
}
