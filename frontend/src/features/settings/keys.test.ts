import { expect, it } from "vitest";
import { ALL, SCOPES, SEEING, end, example, inWords } from "./keys";

it("scopes are said in words, few of them by name", () => {
  expect(inWords(ALL)).toBe("may do everything that keys may");
  expect(inWords([...SEEING].reverse())).toBe("may see, and change nothing");
  expect(inWords(["files:read", "profile:read"])).toBe("profile:read, files:read");
  expect(new Set(Object.values(SCOPES)).size).toBe(ALL.length);
});

it("a key ends so many days from now, or not by itself", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  expect(end("90", now)).toBe("2027-02-20T12:00:00.000Z");
  expect(end("", now)).toBeNull();
});

it("an example holds the key only where it is shown anyway", () => {
  expect(example("https://ide.test")).toContain("Bearer $CODITECT_API_KEY\"");
  expect(example("https://ide.test", "coditect_1")).toContain("Bearer coditect_1\"");
});
