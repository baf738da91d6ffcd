import { beforeEach, describe, expect, it, vi } from "vitest";
import { accountOf, begin, currentToken, leave, renewedToken, signOut, signedIn, useSession } from "./session";

const token = (account: string, number = 0) => `h.${btoa(JSON.stringify({ sub: account, number }))}.s`;
const answer = (status: number, body: object = {}) => new Response(status === 204 ? null : JSON.stringify(body), { status });
const fetches = vi.fn<(path: string) => Promise<Response>>();

beforeEach(() => {
  useSession.setState({ status: "unknown", account: null, token: null });
  localStorage.clear();
  fetches.mockReset();
  vi.stubGlobal("fetch", fetches);
});

describe("who is there", () => {
  it("is not asked of a browser where nobody was, unless it must be known", async () => {
    await begin(false);
    expect([useSession.getState().status, fetches.mock.calls.length]).toEqual(["out", 0]);
    useSession.setState({ status: "unknown" });
    fetches.mockResolvedValue(answer(401));
    await begin(true);
    expect([useSession.getState().status, fetches.mock.calls.length]).toEqual(["out", 1]);
  });

  it("is known by the cookie alone, and remembered as a yes without any token", async () => {
    fetches.mockResolvedValue(answer(200, { access_token: token("a1"), expires_in: 300 }));
    await begin(true);
    expect(useSession.getState()).toMatchObject({ status: "in", account: "a1" });
    expect({ ...localStorage }).toEqual({ "coditect.was-in": "1" });
  });

  it("stays unknown while the API is not reached, so that nobody is sent away", async () => {
    fetches.mockRejectedValue(new TypeError("no network"));
    await expect(begin(true)).rejects.toThrow();
    expect(useSession.getState().status).toBe("unknown");
    fetches.mockResolvedValue(answer(503, { detail: "the store is not reached" }));
    await expect(begin(true)).rejects.toThrow("The store is not reached.");
    expect(useSession.getState().status).toBe("unknown");
  });
});

describe("a token", () => {
  it("is used while it lasts and exchanged before it ends", async () => {
    signedIn({ access_token: token("a1", 1), expires_in: 300 });
    expect(await currentToken()).toBe(token("a1", 1));
    expect(fetches).not.toHaveBeenCalled();
    signedIn({ access_token: token("a1", 2), expires_in: 9 });
    fetches.mockResolvedValue(answer(200, { access_token: token("a1", 3), expires_in: 300 }));
    expect(await currentToken()).toBe(token("a1", 3));
    expect(fetches).toHaveBeenCalledTimes(1);
  });

  it("that is refused ends the login for whoever was inside, and nothing is asked any more", async () => {
    signedIn({ access_token: token("a1"), expires_in: 300 });
    fetches.mockResolvedValue(answer(401));
    expect(await renewedToken(token("a1"))).toBeNull();
    expect(useSession.getState()).toMatchObject({ status: "ended", account: "a1", token: null });
    expect(await currentToken()).toBeNull();
    expect(fetches).toHaveBeenCalledTimes(1);
    expect({ ...localStorage }).toEqual({});
  });

  it("of somebody else shows as another account", () => {
    signedIn({ access_token: token("a1"), expires_in: 300 });
    signedIn({ access_token: token("b2"), expires_in: 300 });
    expect(useSession.getState().account).toBe("b2");
    for (const odd of ["", "a", "a.b.c", `a.${btoa("4")}.c`, `a.${btoa("{}")}.c`]) expect(accountOf(odd)).toBeNull();
  });
});

describe("signing out", () => {
  it("is over only once the API said so, or knew nothing of the login", async () => {
    signedIn({ access_token: token("a1"), expires_in: 300 });
    fetches.mockResolvedValueOnce(answer(503));
    await expect(signOut()).rejects.toThrow();
    expect(useSession.getState().status).toBe("in");
    fetches.mockResolvedValueOnce(answer(401));
    await signOut();
    expect(useSession.getState()).toEqual(expect.objectContaining({ status: "out", account: null, token: null }));
  });

  it("forgets what was known of the account", () => {
    signedIn({ access_token: token("a1"), expires_in: 300 });
    leave();
    expect(useSession.getState()).toEqual(expect.objectContaining({ status: "out", account: null, token: null }));
  });
});
