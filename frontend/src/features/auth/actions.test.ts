import { beforeEach, describe, expect, it, vi } from "vitest";
import { useSession } from "@/shared/session/session";
import { signUp } from "./actions";

const ada = { email: "ada@example.com", password: "correct horse battery", display_name: "Ada" };
const json = (status: number, body: object) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
let states: string[] = [];
let keys: (string | null)[] = [];

beforeEach(() => {
  keys = [];
  useSession.setState({ status: "out", token: null, account: null });
  vi.stubGlobal("fetch", (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/register")) { keys.push(request.headers.get("Idempotency-Key")); return Promise.resolve(json(202, { id: "r1", status_url: "" })); }
    if (pathname.endsWith("/session")) return Promise.resolve(json(200, { access_token: "a.b.c", expires_in: 300 }));
    return Promise.resolve(json(200, { state: states.shift() ?? "pending" }));
  });
});

describe("signing up", () => {
  it("signs in once the sign-up is complete, and names the attempt", async () => {
    states = ["pending", "complete"];
    expect(await signUp(ada, "key-1")).toBe("in");
    expect([useSession.getState().status, keys]).toEqual(["in", ["key-1"]]);
  });

  it("waits for a mail where it is not, and says the same of a known address", async () => {
    vi.useFakeTimers();
    const done = signUp(ada, "key-1");
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    expect(await done).toBe("mail");
    expect(useSession.getState().status).toBe("out");
  });
});
