import { describe, expect, it } from "vitest";
import { eventParser } from "./sse";

const text = ': still here\n\nevent: workspace\nid: a1\ndata: {"phase":"ready"}\n\nevent: end\r\ndata: one\r\ndata:two\r\n\r\n';
const whole = [{ event: "workspace", id: "a1", data: '{"phase":"ready"}' }, { event: "end", id: "a1", data: "one\ntwo" }];

describe("eventParser", () => {
  it("reads events, comments, ids and line ends of every kind", () => {
    expect(eventParser()(text)).toEqual(whole);
  });

  it("reads the same however it is cut", () => {
    for (let size = 1; size <= 7; size += 1) {
      const parse = eventParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parse(text.slice(at, at + size)));
      expect(found).toEqual(whole);
    }
  });

  it("gives nothing for an event that is not whole", () => {
    expect(eventParser()("event: workspace\ndata: {}\n")).toEqual([]);
  });
});
