import { describe, expect, it } from "vitest";
import { bytes, count, lasted, minutes, price, relative, sentence } from "./format";

describe("format", () => {
  it("says how long something took", () => {
    expect([0, 20, 999, 1_100, 9_960, 11_800, 90_000, 5_400_000].map(lasted)).toEqual(["0 ms", "20 ms", "999 ms", "1.1 s", "10 s", "12 s", "2 min", "1.5 h"]);
    expect(lasted(-5)).toBe("0 ms");
  });

  it("says times as people do", () => {
    const now = Date.UTC(2026, 10, 22, 12);
    const ago = (seconds: number) => relative(new Date(now - seconds * 1000).toISOString(), now);
    expect([ago(3), ago(120), ago(-240), ago(7_200), ago(86_400), ago(-604_800)]).toEqual(["just now", "2 min ago", "in 4 min", "2 hr ago", "yesterday", "next week"]);
    expect(relative("no time", now)).toBe("at an unknown time");
  });

  it("says sizes, prices and counts with their units", () => {
    expect([bytes(0), bytes(1023), bytes(429_496_730), bytes(2 ** 30)]).toEqual(["0 B", "1,023 B", "409.6 Mi", "1 Gi"]);
    expect([price(0), price(2900), price(2950)]).toEqual(["$0", "$29", "$29.50"]);
    expect([count(1, "workspace"), count(1200, "workspace")]).toEqual(["1 workspace", "1,200 workspaces"]);
    expect([minutes(0), minutes(30), minutes(60), minutes(90)]).toEqual(["0 min", "30 min", "1 h", "1 h 30 min"]);
  });

  it("makes a sentence of the server's text", () => {
    expect([sentence("too short"), sentence("Really?"), sentence("")]).toEqual(["Too short.", "Really?", ""]);
  });
});
