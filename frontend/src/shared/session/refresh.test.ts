import { describe, expect, it, vi } from "vitest";
import { type Token, refresher } from "./refresh";

/** A browser: locks that one holds at a time, a token that any tab's telling replaces, and an API that counts. */
function browser() {
  let held: Promise<unknown> = Promise.resolve();
  const locks = {
    request: (_name: string, work: () => Promise<unknown>) => {
      const mine = held.then(work);
      held = mine.catch(() => undefined);
      return mine;
    },
  } as unknown as LockManager;
  let made = 0;
  const exchange = vi.fn<() => Promise<Token | null>>(() => Promise.resolve({ value: `token-${++made}`, expiresAt: 600_000 }));
  const tabs: { token: Token | null }[] = [];
  const tab = (token: Token | null = null) => {
    const own = { token };
    tabs.push(own);
    return refresher({ locks, exchange, now: () => 0, current: () => own.token, tell: (told) => { for (const one of tabs) one.token = told; } });
  };
  return { tab, exchange };
}

const old: Token = { value: "old", expiresAt: 600_000 };

describe("refresher", () => {
  it("exchanges once however many calls of a tab want a token", async () => {
    const { tab, exchange } = browser();
    const renew = tab();
    const all = await Promise.all([renew(), renew(), renew("old")]);
    expect(new Set(all.map((token) => token?.value))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
  });

  it("exchanges once for ten tabs that wake together", async () => {
    const { tab, exchange } = browser();
    const tabs = Array.from({ length: 10 }, () => tab(old));
    const all = await Promise.all(tabs.map((renew) => renew("old")));
    expect(new Set(all.map((token) => token?.value))).toEqual(new Set(["token-1"]));
    expect(exchange).toHaveBeenCalledTimes(1);
  });

  it("exchanges again for the token that was refused", async () => {
    const { tab, exchange } = browser();
    const renew = tab();
    const first = await renew();
    expect((await renew(first?.value))?.value).toBe("token-2");
    expect(exchange).toHaveBeenCalledTimes(2);
  });

  it("takes no token that is nearly over", async () => {
    const { tab } = browser();
    expect((await tab({ value: "late", expiresAt: 5_000 })())?.value).toBe("token-1");
  });

  it("says that the login is over to every tab", async () => {
    const { tab, exchange } = browser();
    exchange.mockResolvedValue(null);
    expect(await tab(old)("old")).toBeNull();
  });

  it("tries again after the API was not reached", async () => {
    const { tab, exchange } = browser();
    exchange.mockRejectedValueOnce(new TypeError("no network"));
    const renew = tab();
    await expect(renew()).rejects.toThrow("no network");
    expect((await renew())?.value).toBe("token-1");
  });
});
