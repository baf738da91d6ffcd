import { describe, expect, it } from "vitest";
import type { Schemas } from "@/shared/api/client";
import { sample } from "./sample";
import { awaited, obstacle, phases, standing, told } from "./words";

const all = Object.keys(phases) as Schemas["PhaseName"][];

describe("a phase", () => {
  it("has a word of its own, a colour and an icon", () => {
    expect(new Set(all.map((phase) => phases[phase].word)).size).toBe(all.length);
  });
});

describe("where it stands", () => {
  const power = (cause: Schemas["PowerCauseName"]) => ({ wanted: "off" as const, cause, since: "2026-11-21T14:03:00Z" });

  it("says that files are kept, and why it sleeps where somebody else than the person decided", () => {
    expect(standing(sample({ phase: "suspended", power: power("person") }))).toBe("Files are kept.");
    for (const cause of ["idle", "hours", "longest_session", "handed_over", "restored"] as const) expect(standing(sample({ phase: "suspended", power: power(cause) }))).toMatch(/^Files are kept\. .+\.$/);
  });

  it("says until when a deletion can be undone, and no day where there is none", () => {
    expect(standing(sample({ phase: "deleting", deletes_at: "2026-11-28T14:03:00Z" }))).toContain("Until then it can be restored");
    expect(standing(sample({ phase: "deleting" }))).not.toContain("restored");
    expect(standing(sample())).toBeNull();
  });
});

describe("an obstacle", () => {
  const reason = { cause: "quota" as const, detail: "exceeded quota: compute", remedy: "stop another workspace, or choose a larger plan" };

  it("says what, and what now", () => {
    expect(obstacle(sample({ phase: "failed", reason }))).toEqual({ what: "It cannot run: Exceeded quota: compute.", now: "Stop another workspace, or choose a larger plan." });
  });

  it("of a change does not say that a workspace that runs cannot", () => {
    expect(obstacle(sample({ reason }))?.what).toBe("Its newest change waits: Exceeded quota: compute.");
    expect(obstacle(sample())).toBeNull();
  });
});

describe("what waits for approval", () => {
  const approval = { change: "1", first: false, reasons: ["the plan becomes pro", "a volume becomes 200 GiB"], since: "2026-11-21T14:03:00Z", state: "proposed" as const };

  it("says what is asked, and that all stays as it is or that nothing is set up yet", () => {
    expect(awaited(sample({ approval }))).toEqual({ what: "This waits for approval by the people who run this installation: The plan becomes pro. A volume becomes 200 GiB.", now: "Everything stays as it is until they have decided. Nothing need be done.", declined: false });
    expect(awaited(sample({ approval: { ...approval, first: true } }))?.now).toContain("Nothing of yours is set up");
    expect(awaited(sample({ approval: { ...approval, state: "rejected" } }))?.what).toMatch(/^This was not approved: /);
  });

  it("says nothing once it is decided, or where nobody is asked", () => {
    for (const state of ["approved", "overtaken"] as const) expect(awaited(sample({ approval: { ...approval, state } }))).toBeNull();
    expect(awaited(sample())).toBeNull();
  });
});

describe("a notice", () => {
  it("is a sentence of every kind, with its time where something follows", () => {
    for (const kind of ["idle", "hours", "activity_unknown", "drift", "quarantined", "restart_pending", "volume_growing"] as const) {
      const at = "2026-11-21T14:03:00Z";
      expect(told({ kind, at, detail: "" })).toMatch(/^[A-Z].*\.$/);
      expect(told({ kind, at, detail: "", until: null })).not.toMatch(/undefined|null| at ?[.;]/);
    }
    expect(told({ kind: "idle", at: "", detail: "", until: "2026-11-21T14:07:00" })).toMatch(/It goes to sleep at .*07/);
  });
});
