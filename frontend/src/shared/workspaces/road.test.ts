import { describe, expect, it } from "vitest";
import { road, standstill, took } from "./road";
import { sample } from "./sample";

const whole = sample();
const upTo = (count: number, phase: typeof whole.phase) => sample({ phase, timeline: { ...whole.timeline, steps: whole.timeline.steps.slice(0, count) } });
const states = (workspace: typeof whole) => road(workspace)?.map(({ phase, state }) => `${phase} ${state}`);

describe("road", () => {
  it("shows every step with the time since the request", () => {
    expect(road(whole)?.map(({ phase, state, after }) => [phase, state, after])).toEqual([
      ["requested", "done", 0], ["committed", "done", 20], ["synced", "done", 400], ["starting", "done", 500], ["ready", "done", 1000],
    ]);
    expect(took(road(whole) ?? [])).toBe(1000);
  });

  it("shows what is present and what is to come", () => {
    expect(states(upTo(2, "committed"))).toEqual(["requested done", "committed present", "synced ahead", "starting ahead", "ready ahead"]);
    expect(took(road(upTo(2, "committed")) ?? [])).toBeNull();
  });

  it("shows where a workspace that cannot run stands still", () => {
    expect(states(upTo(4, "failed"))?.[3]).toBe("starting failed");
  });

  it("leaves the commit out of a wake, which makes none", () => {
    const began = new Date(Date.parse(whole.timeline.began_at) + 3_600_000).toISOString();
    const woken = sample({ phase: "starting", timeline: { ...whole.timeline, began_at: began, steps: [{ phase: "requested", at: began, took_ms: 0 }, { phase: "starting", at: began, took_ms: 0 }] } });
    expect(states(woken)).toEqual(["requested done", "starting present", "ready ahead"]);
  });

  it("is none for what goes nowhere", () => {
    for (const phase of ["suspended", "suspending", "deleting"] as const) expect(road(sample({ phase }))).toBeNull();
    expect(road(sample({ power: { wanted: "off", cause: "idle", since: whole.power.since } }))).toBeNull();
  });

  it("believes the phase although its step was not told", () => {
    expect(states(upTo(3, "starting"))?.[3]).toBe("starting present");
  });
});

describe("standstill", () => {
  const steps = road(upTo(1, "requested")) ?? [];
  const began = Date.parse(whole.timeline.began_at);
  it("says nothing while it goes as usual", () => { expect(standstill(steps, began + 1_000)).toBeNull(); });
  it("says a sentence when it takes longer", () => { expect(standstill(steps, began + 6_000)).toContain("nothing is lost"); });
  it("says nothing of what has arrived", () => { expect(standstill(road(whole) ?? [], began + 1e9)).toBeNull(); });
});
