import { describe, expect, it } from "vitest";
import { expected, underWay, withExpected, withOne, without } from "./list";
import { understood } from "./live";
import { sample } from "./sample";

const [a, b] = [sample({ id: "a" }), sample({ id: "b" })];

describe("the list", () => {
  it("takes news in their place", () => {
    const renamed = { ...a, name: "thesis" };
    expect(withOne([a, b], renamed)).toEqual([renamed, b]);
    expect(withOne([a], b)).toEqual([a, b]);
    expect(without([a, b], "a")).toEqual([b]);
  });

  it("shows a click at once", () => {
    const at = "2026-11-22T09:00:00Z";
    const woken = expected(sample({ phase: "suspended" }), "on", at);
    expect([woken.phase, woken.power.wanted, woken.timeline.steps.length]).toEqual(["requested", "on", 1]);
    expect(expected(a, "off", at).phase).toBe("suspending");
    expect(expected(sample({ phase: "suspended" }), "off", at).phase).toBe("suspended");
  });

  it("is not taken back by what overtook it or was overtaken", () => {
    const [slept, asked, runs] = ["2026-11-22T09:00:00.100Z", "2026-11-22T09:00:01.200Z", "2026-11-22T09:00:01.300Z"];
    const told = (phase: "suspended" | "ready", power: "on" | "off", since: string, phaseSince: string) => sample({ phase, power: { wanted: power, cause: "person", since }, timeline: { ...sample().timeline, phase_since: phaseSince } });
    const before = told("suspended", "off", slept, slept);
    const answer = told("suspended", "on", asked, slept);
    const ready = told("ready", "on", asked, runs);
    const clicked = withExpected([before], expected(before, "on", "2031-01-01T00:00:00Z"));
    const phase = (...news: (typeof ready)[]) => news.reduce(withOne, clicked)[0]?.phase;
    expect([clicked[0]?.phase, phase(answer), phase(answer, ready), phase(ready, answer)]).toEqual(["requested", "requested", "ready", "ready"]);
    // Taken back where the API refuses, but not what came meanwhile.
    expect([phase(before), phase(ready, before)]).toEqual(["suspended", "ready"]);
  });

  it("shows what was asked for where the cluster has not said anything since", () => {
    const old = { ...sample().timeline, phase_since: "2026-11-22T08:00:00Z" };
    const power = (wanted: "on" | "off") => ({ wanted, cause: "person" as const, since: "2026-11-22T09:00:00Z" });
    const phase = (phase: "ready" | "suspended" | "deleting" | "starting", wanted: "on" | "off") => underWay(sample({ phase, power: power(wanted), timeline: old })).phase;
    expect([phase("suspended", "on"), phase("ready", "off"), phase("suspended", "off"), phase("deleting", "off"), phase("starting", "on")]).toEqual(["requested", "suspending", "suspended", "deleting", "starting"]);
  });
});

describe("events of a stream", () => {
  const event = (name: string, data: unknown) => ({ event: name, id: "1", data: JSON.stringify(data) });
  it("are news, an end for good, or an end for now", () => {
    expect(understood(event("workspace", a))).toEqual({ workspace: a });
    expect(understood(event("gone", { id: "a" }))).toEqual({ gone: "a" });
    for (const reason of ["signed_out", "deleted"]) expect(understood(event("end", { reason }))).toBe("over");
    for (const reason of ["expired", "stopping"]) expect(understood(event("end", { reason }))).toBeNull();
    expect(understood(event("something new", {}))).toBeNull();
  });
});
