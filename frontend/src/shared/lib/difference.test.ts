import { describe, expect, it } from "vitest";
import { difference, inContext, unified } from "./difference";

const text = (lines: ReturnType<typeof difference>) => lines.map(({ kind, text }) => `${{ same: " ", added: "+", removed: "-" }[kind]}${text}`);

describe("difference", () => {
  it("keeps what both have", () => {
    expect(text(difference("a\nb\nc\nd", "a\nx\nc\nd\ne"))).toEqual([" a", "-b", "+x", " c", " d", "+e"]);
  });

  it("gives both texts back", () => {
    const [before, after] = ["one\ntwo\ntwo\nthree\nfour", "two\nzero\nthree\nthree\nfour\nfive"];
    const lines = difference(before, after);
    expect(lines.filter(({ kind }) => kind !== "added").map(({ text }) => text).join("\n")).toBe(before);
    expect(lines.filter(({ kind }) => kind !== "removed").map(({ text }) => text).join("\n")).toBe(after);
  });

  it("knows files that begin and end", () => {
    expect(text(difference("", "a"))).toEqual(["+a"]);
    expect(text(difference("a", ""))).toEqual(["-a"]);
    expect(difference("", "")).toEqual([]);
  });

  it("shows what is near a change, and says how much it leaves out", () => {
    const many = Array.from({ length: 20 }, (_, at) => `${at}`);
    const changed = many.map((line) => (line === "9" ? "nine" : line));
    const shown = inContext(difference(many.join("\n"), changed.join("\n")), 2);
    expect(shown.map((one) => (one.kind === "gap" ? one.count : one.text))).toEqual([7, "7", "8", "9", "nine", "10", "11", 8]);
    expect(inContext(difference("a\nb", "a\nb"))).toEqual([{ kind: "gap", count: 2 }]);
    expect(inContext([])).toEqual([]);
  });

  it("reads what git says", () => {
    expect(text(unified("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-storage: 1Gi\n+storage: 10Gi\n kind: x\n"))).toEqual(["-storage: 1Gi", "+storage: 10Gi", " kind: x"]);
  });
});
