import { describe, expect, it } from "vitest";
import { keys } from "./keys";

describe("keys", () => {
  it("go by two, soon after each other", () => {
    const press = keys();
    expect([press("g", 0), press("d", 200)]).toEqual([null, "dashboard"]);
    expect([press("g", 0), press("s", 1_500)]).toEqual([null, null]);
    expect([press("d", 2_000), press("g", 2_100), press("x", 2_200), press("d", 2_300)]).toEqual([null, null, null, null]);
  });

  it("or alone", () => {
    const press = keys();
    expect([press("/", 0), press("?", 1), press("g", 2), press("?", 3)]).toEqual(["search", "help", null, "help"]);
  });
});
