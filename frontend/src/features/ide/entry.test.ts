import { describe, expect, it } from "vitest";
import { type Entry, MOST_TRIES, type Said, begin, heard, next } from "./entry";

const after = (...said: Said[]) => said.reduce<Entry>(next, begin);

describe("entering a frame", () => {
  it("hands a code over when the page is ready, and is in", () => {
    expect(after({ type: "ready" }).state).toBe("asking");
    expect(after({ type: "ready" }, { type: "handed" }).state).toBe("handed");
    expect(after({ type: "ready" }, { type: "handed" }, { type: "entered", expiresIn: 900, now: 1_000 })).toEqual({ state: "in", renewAt: 841_000 });
  });

  it("loads a page that does not speak again, and then says so", () => {
    const quiet: Said = { type: "quiet" };
    expect(after(quiet)).toEqual({ state: "loading", tries: 2 });
    expect(after(...Array.from({ length: MOST_TRIES }, () => quiet)).state).toBe("silent");
    expect(after({ type: "ready" }, quiet).state).toBe("asking");
  });

  it("asks for another code when the page is back at the door", () => {
    expect(after({ type: "ready" }, { type: "entered", expiresIn: 900, now: 0 }, { type: "ready" }).state).toBe("asking");
    expect(after({ type: "no-cookie" }, { type: "again" })).toEqual(begin);
  });

  it("does not renew without end when codes last for moments only", () => {
    expect(after({ type: "entered", expiresIn: 5, now: 0 })).toEqual({ state: "in", renewAt: 10_000 });
  });

  it("understands the page's words and nothing else", () => {
    expect(heard({ version: 1, type: "coditect:ready" }, 0)).toEqual({ type: "ready" });
    expect(heard({ type: "coditect:entered", expires_in: 900 }, 7)).toEqual({ type: "entered", expiresIn: 900, now: 7 });
    expect(heard({ type: "coditect:refused", status: 404 }, 0)).toEqual({ type: "refused", status: 404 });
    expect(heard({ type: "coditect:leave" }, 0)).toBe("leave");
    for (const noise of [null, "coditect:ready", { type: "other" }, { type: "coditect:entered", expires_in: "long" }, 4]) expect(heard(noise, 0)).toBeNull();
  });
});
