import { expect, it } from "vitest";
import { slugIn } from "./calls";

it.each([["quiet-otter-7k3fm", "quiet-otter-7k3fm"], [" https://quiet-otter-7k3fm.ws.test:8443/x ", "quiet-otter-7k3fm"], ["quiet-otter-7k3fm.ws.test", "quiet-otter-7k3fm"], ["", ""]])("of %j the host name's first label is %j", (text, slug) => {
  expect(slugIn(text)).toBe(slug);
});
