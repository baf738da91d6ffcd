import { describe, expect, it } from "vitest";
import type { Member, Role } from "@/shared/api/tenants";
import { gives, may } from "./rules";

const member = (role: Role, change: Partial<Member> = {}): Member => ({ user: `${role}-1`, role, display_name: "Grace", email: null, joined_at: "2026-11-01T00:00:00Z", you: false, deletes_at: null, asked: false, left_behind: null, ...change });
const until = "2026-12-01T00:00:00Z";

describe("who may do what", () => {
  it("is nothing for a member, and nothing above one's own role", () => {
    const owner = member("owner");
    expect(may("member", member("member"), [owner])).toMatchObject({ role: "Owners and admins manage members.", restore: false });
    expect(may("admin", owner, [owner, member("owner", { user: "o2" })]).remove).toContain("Only an owner");
    expect(may("admin", member("member"), [owner])).toMatchObject({ role: true, remove: true });
    expect([gives("member"), gives("admin"), gives("owner")].map((all) => all.length)).toEqual([1, 2, 3]);
  });

  it("keeps an owner: one who stays", () => {
    const [one, other] = [member("owner", { you: true }), member("owner", { user: "o2" })];
    expect(may("owner", one, [one]).role).toContain("There must be an owner");
    expect(may("owner", one, [one, { ...other, deletes_at: until }]).role).toContain("There must be an owner");
    expect(may("owner", one, [one, other]).role).toBe(true);
    expect(may("owner", one, [one, other]).remove).toBe("To go yourself, leave.");
  });

  it("brings back and hands over who has left, unless they asked for their end themselves", () => {
    const left = member("member", { deletes_at: until });
    expect(may("admin", left, [])).toEqual({ role: "On their way out.", remove: "On their way out.", restore: true, handOver: true });
    expect(may("admin", { ...left, asked: true }, [])).toMatchObject({ restore: false, handOver: "They asked for the end of their account." });
    expect(may("admin", member("member"), []).handOver).toBe("They have not left.");
    expect(may("admin", member("member", { left_behind: { since: until, organisation: true } }), [])).toMatchObject({ handOver: true, remove: true, role: "What was left behind has no role." });
  });
});
