import { describe, expect, it } from "vitest";
import { MOST_LIVE, type Tabs, close, only, show } from "./tabs";

const none: Tabs = { open: [], live: [] };
const opened = (...ids: string[]) => ids.reduce(show, none);

describe("tabs", () => {
  it("keep at most three frames, those looked at last", () => {
    const tabs = opened("a", "b", "c", "a", "d");
    expect(tabs).toEqual({ open: ["a", "b", "c", "d"], live: ["c", "a", "d"] });
    expect(tabs.live).toHaveLength(MOST_LIVE);
  });

  it("go to the one looked at before when one is closed", () => {
    const { tabs, next } = close(opened("a", "b", "c"), "c");
    expect([tabs.open, next]).toEqual([["a", "b"], "b"]);
    expect(close(opened("a"), "a").next).toBeNull();
  });

  it("forget what is gone", () => {
    expect(only(opened("a", "b"), ["b"])).toEqual({ open: ["b"], live: ["b"] });
  });
});
