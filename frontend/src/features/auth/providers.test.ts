import { beforeEach, describe, expect, it, vi } from "vitest";
import { useSession } from "@/shared/session/session";
import { TERMS_VERSION } from "@/shared/terms";
import { enterByProvider, said, startOf } from "./providers";

describe("signing in with a provider", () => {
  beforeEach(() => { useSession.setState({ status: "out", token: null, account: null }); });

  it("hands in the code in a body, and keeps the token in memory", async () => {
    const asked: [string, unknown][] = [];
    vi.stubGlobal("fetch", async (request: Request) => {
      asked.push([request.url, await request.json()]);
      return new Response(JSON.stringify({ access_token: "a.b.c", expires_in: 300 }), { headers: { "content-type": "application/json" } });
    });
    await enterByProvider("one");
    expect(asked).toEqual([[expect.stringMatching(/\/api\/v5\/auth\/identity\/session$/), { code: "one" }]]);
    expect(useSession.getState().status).toBe("in");
  });

  it("agrees to terms only where they were shown", () => {
    expect(startOf("/api/v5/auth/google", false)).toBe("/api/v5/auth/google");
    expect(startOf("/api/v5/auth/google", true)).toBe(`/api/v5/auth/google?terms_version=${TERMS_VERSION}`);
  });

  it("has words for what it does not know", () => {
    expect(said("no-account")).toContain("Sign up");
    expect(said("<script>")).toContain("did not work");
  });
});
