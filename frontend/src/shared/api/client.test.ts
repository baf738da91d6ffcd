import { beforeEach, describe, expect, it, vi } from "vitest";
import { signedIn, useSession } from "@/shared/session/session";
import { api, probe, unwrap } from "./client";
import { Problem, asProblem, remedy } from "./problem";

const json = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
let sent: { method: string; path: string; token: string | null; body: string }[] = [];
let answers: (() => Response)[] = [];

async function answer(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? input : new Request(new URL(input, location.origin), init);
  sent.push({ method: request.method, path: new URL(request.url).pathname, token: request.headers.get("Authorization"), body: await request.text() });
  const next = answers.shift();
  if (!next) throw new TypeError("no network");
  return next();
}

beforeEach(() => {
  [sent, answers] = [[], []];
  vi.stubGlobal("fetch", answer);
  useSession.setState({ status: "unknown", account: null, token: null });
  signedIn({ access_token: "old", expires_in: 300 });
});

describe("a call", () => {
  it("whose token is refused is made once more with a new one, with the same body", async () => {
    answers = [() => json(401, {}), () => json(200, { access_token: "new", expires_in: 300 }), () => json(200, { display_name: "Ada" })];
    const me = unwrap(await api.PATCH("/api/v5/me", { body: { display_name: "Ada" } }));
    expect(me.display_name).toBe("Ada");
    expect(sent.map(({ method, path, token }) => [method, path, token])).toEqual([["PATCH", "/api/v5/me", "Bearer old"], ["POST", "/api/v5/auth/refresh", null], ["PATCH", "/api/v5/me", "Bearer new"]]);
    expect(sent[2]?.body).toBe(sent[0]?.body);
  });

  it("is made no third time", async () => {
    answers = [() => json(401, {}), () => json(200, { access_token: "new", expires_in: 300 }), () => json(401, { detail: "not you" })];
    const last = await api.GET("/api/v5/me");
    expect(() => unwrap(last)).toThrow("Not you.");
    expect(sent).toHaveLength(3);
  });

  it("that reaches nobody is a problem that keeps what was typed", async () => {
    await expect(api.GET("/api/v5/me")).rejects.toMatchObject({ status: 0, slug: "offline" });
  });

  it("that was given up is no problem", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new DOMException("given up", "AbortError")));
    await expect(api.GET("/api/v5/me")).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("what may not be offered here", () => {
  it("is nothing, and nothing else is", async () => {
    for (const status of [404, 405, 501]) {
      answers = [() => json(status, {})];
      expect(await probe("GET", "/api/v5/me/usage")).toBeNull();
    }
    answers = [() => new Response(null, { status: 204 }), () => json(403, { type: "/problems/forbidden", detail: "not yours" })];
    expect(await probe("DELETE", "/api/v5/me/logins/1")).toEqual({});
    await expect(probe("GET", "/api/v5/me/usage")).rejects.toMatchObject({ slug: "forbidden", message: "Not yours." });
  });
});

describe("a problem", () => {
  it("says what now where its text does not", () => {
    const of = (status: number, slug: string) => remedy(new Problem(status, { type: `/problems/${slug}`, detail: "it" }));
    expect(of(409, "limit-reached")).toContain("larger plan");
    expect(of(503, "unavailable")).toContain("request id");
    expect(of(422, "invalid-input")).toBeNull();
  });

  it("has a sentence for each field, and one for a failure of any kind", () => {
    expect(new Problem(422, { errors: [{ field: "email", detail: "must hold an @" }] }).fields).toEqual({ email: "This must hold an @." });
    expect(asProblem(new TypeError("x")).slug).toBe("offline");
    expect(new Problem(502, null).message).toBe("The server could not answer. Try again in a moment.");
  });
});
