import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Token, refresher } from "./refresh";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

interface Wait { name: string; shared: boolean; begin: () => void }

/** Locks as the browser has them: in the order of asking, an exclusive one held by one at a time; `slow`: milliseconds until it says which are held. */
function lockManager(slow: number) {
  const held: Wait[] = [];
  let pending: Wait[] = [];
  const pass = () => {
    for (const wait of pending) {
      const others = [...held, ...pending.slice(0, pending.indexOf(wait))].filter(({ name }) => name === wait.name);
      if (others.some(({ shared }) => !shared || !wait.shared)) continue;
      pending = pending.filter((one) => one !== wait);
      held.push(wait);
      wait.begin();
    }
  };
  const request = (name: string, { mode, signal }: LockOptions, work: () => Promise<unknown>) => new Promise<unknown>((done, failed) => {
    const wait: Wait = { name, shared: mode === "shared", begin: () => { void work().then(done, failed).finally(() => { held.splice(held.indexOf(wait), 1); pass(); }); } };
    pending.push(wait);
    signal?.addEventListener("abort", () => {
      if (!pending.includes(wait)) return;
      pending = pending.filter((one) => one !== wait);
      failed(new DOMException("aborted", "AbortError"));
    });
    pass();
  });
  return { request, query: () => { const answer = { held: held.map(({ name }) => ({ name })), pending: [] }; return new Promise((done) => { setTimeout(done, slow, answer); }); } } as unknown as LockManager;
}

/** A browser: its locks, tabs that hear of each other `delay` milliseconds later, and an API that counts. */
function browser(delay = 0, slow = 0) {
  const locks = lockManager(slow);
  let made = 0;
  const exchange = vi.fn<() => Promise<Token | null>>(() => Promise.resolve({ value: `token-${++made}`, expiresAt: 600_000 + made }));
  interface Tab { token: Token | null; heard: Set<() => void>; frozen: boolean }
  const tabs: Tab[] = [];
  const take = (one: Tab, token: Token | null) => { one.token = token; for (const heard of one.heard) heard(); };
  const send = (from: Tab, what: (to: Tab) => void) => { for (const to of tabs) if (to !== from) setTimeout(() => { if (!to.frozen) what(to); }, delay); };
  const tab = (token: Token | null = null) => {
    const own: Tab = { token, heard: new Set(), frozen: false };
    tabs.push(own);
    const renew = refresher({
      locks, exchange, now: () => 0, current: () => own.token,
      tell: (told) => { take(own, told); send(own, (to) => { take(to, told); }); },
      ask: () => { send(own, (to) => { if (to.token && to.token.expiresAt > 10_000) send(to, (asker) => { take(asker, to.token); }); }); },
      listen: (heard) => { own.heard.add(heard); return () => { own.heard.delete(heard); }; },
    });
    return Object.assign(renew, { freeze: () => { own.frozen = true; } });
  };
  return { tab, exchange, locks };
}

/** What becomes of these within a minute. */
async function soon<Done>(promises: Promise<Done>[]): Promise<Done[]> {
  const all = Promise.all(promises);
  all.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  return all;
}

const old: Token = { value: "old", expiresAt: 600_000 };
const values = (tokens: (Token | null)[]) => new Set(tokens.map((token) => token?.value));

describe("refresher", () => {
  it("exchanges once however many calls of a tab want a token", async () => {
    const { tab, exchange } = browser();
    const renew = tab();
    expect(values(await soon([renew(), renew(), renew("old")]))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
  });

  it.each([[0, 0], [1, 0], [40, 0], [1500, 0], [10, 10], [20, 30], [30, 20]])("exchanges once for ten tabs that wake together, however late they hear of it (%i ms) and of who has renewed (%i ms)", async (delay, slow) => {
    const { tab, exchange } = browser(delay, slow);
    const tabs = Array.from({ length: 10 }, () => tab(old));
    expect(values(await soon(tabs.map((renew) => renew("old"))))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
  });

  it("gives a tab that opens later what another one was given", async () => {
    const { tab, exchange } = browser(40);
    const first = tab();
    const given = first();
    await vi.advanceTimersByTimeAsync(1_000);
    const later = tab()();
    expect(values(await soon([given, later]))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
  });

  it("waits for no tab that is frozen: neither one that has its turn, nor one that has renewed", async () => {
    const { tab, exchange, locks } = browser(10);
    void locks.request("coditect.refresh", {}, () => new Promise(() => undefined));
    const tabs = Array.from({ length: 10 }, () => tab(old));
    expect(values(await soon(tabs.map((renew) => renew("old"))))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
    const gone = browser(10);
    const first = gone.tab();
    const given = first();
    await vi.advanceTimersByTimeAsync(5);
    first.freeze();
    const later = gone.tab()();
    expect([...values(await soon([given, later]))]).toEqual(["token-1", "token-2"]);
  });

  it("takes no old answer for a new one", async () => {
    const { tab, exchange } = browser();
    const [slow, quick] = [tab(old), tab(old)];
    const answers: ((token: Token | null) => void)[] = [];
    exchange.mockImplementation(() => new Promise((done) => { answers.push(done); }));
    const both = [slow("old"), quick("old")];
    // The first one is frozen while it asks; the second one waits no longer.
    await vi.advanceTimersByTimeAsync(13_000);
    answers[1]?.({ value: "new", expiresAt: 900_000 });
    await vi.advanceTimersByTimeAsync(100);
    answers[0]?.(null);
    expect(values(await soon(both))).toEqual(new Set(["new"]));
  });

  it("exchanges again for the token that was refused", async () => {
    const { tab, exchange } = browser();
    const renew = tab();
    const [first] = await soon([renew()]);
    expect(values(await soon([renew(first?.value)]))).toEqual(new Set(["token-2"]));
    expect(exchange).toHaveBeenCalledTimes(2);
  });

  it("takes no token that is nearly over", async () => {
    const { tab } = browser();
    expect(values(await soon([tab({ value: "late", expiresAt: 5_000 })()]))).toEqual(new Set(["token-1"]));
  });

  it("says that the login is over to every tab", async () => {
    const { tab, exchange } = browser();
    exchange.mockResolvedValue(null);
    expect(await soon([tab(old)("old")])).toEqual([null]);
  });

  it("tries again after the API was not reached", async () => {
    const { tab, exchange } = browser();
    exchange.mockRejectedValueOnce(new TypeError("no network"));
    const renew = tab();
    await expect(soon([renew()])).rejects.toThrow("no network");
    expect(values(await soon([renew()]))).toEqual(new Set(["token-1"]));
  });
});
