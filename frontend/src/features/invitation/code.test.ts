import { expect, it } from "vitest";
import { codeIn, forget, invitationOf, remember, remembered } from "./code";

const CODE = `0193a1f0-0000-7000-8000-0000000000e1.${"x".repeat(43)}`;

it("a code is read from a link or as it is, and from nothing else", () => {
  expect(codeIn(`#code=${CODE}`)).toBe(CODE);
  expect(codeIn(` https://ide.test/invitation#code=${CODE} `)).toBe(CODE);
  expect(codeIn(CODE)).toBe(CODE);
  for (const odd of ["", "#", "#code=", "#code=1.2", "javascript:alert(1)", `${CODE}!`]) expect(codeIn(odd)).toBeNull();
  expect(invitationOf(CODE)).toBe("0193a1f0-0000-7000-8000-0000000000e1");
});

it("a code is kept in this tab until it is used", () => {
  expect(remember(CODE)).toBe(true);
  expect([remembered(), { ...localStorage }]).toEqual([CODE, {}]);
  forget();
  expect(remembered()).toBeNull();
});
