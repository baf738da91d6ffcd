import { expect, it } from "vitest";
import { decided, tenantName } from "./words";

const name = (user: string) => ({ u1: "Grace" })[user] ?? `user ${user}`;

it("a decision is a sentence with the names of whom it is about", () => {
  expect(decided({ action: "role_changed", details: { user: "u1", role: "admin" } }, name)).toBe("made Grace admin");
  expect(decided({ action: "member_removed", details: { user: "u9" } }, name)).toBe("removed user u9");
  expect(decided({ action: "storage_raised", details: { user: "u1", workspace: "0193a1f0-0000-7000-8000-0000000000d1", gib: 10 } }, name)).toBe("raised the storage of workspace 0000d1 to 10 Gi");
});

it("one that is newer than this page is said by its name, and nothing of it is taken for markup", () => {
  expect(decided({ action: "moon_landed_on", details: {} }, name)).toBe("moon landed on");
  expect(decided({ action: "plan_changed", details: {} }, name)).toBe("chose the something plan");
});

it("an organisation is called as its people call it, or known by the end of its id", () => {
  expect(tenantName({ tenant: "0193a1f0-0000-7000-8000-0000000000c1", name: null })).toBe("Organisation 0000c1");
  expect(tenantName({ tenant: "0193a1f0-0000-7000-8000-0000000000c1", name: "Physics" })).toBe("Physics");
});
