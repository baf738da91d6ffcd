import { afterEach, expect, it, vi } from "vitest";
import { type Sink, pour, sink } from "./save";

const piece = (length: number) => new Uint8Array(length);
const body = (pieces: Uint8Array<ArrayBuffer>[], fails = false) => {
  const rest = [...pieces];
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (to) => {
      const next = rest.shift();
      if (next) to.enqueue(next);
      else if (fails) to.error(new TypeError("network"));
      else to.close();
    },
  });
};
const tray = () => {
  const log: (string | number)[] = [];
  const to: Sink = { write: (one) => { log.push(one.length); return Promise.resolve(); }, done: () => { log.push("done"); return Promise.resolve(); }, drop: () => { log.push("drop"); return Promise.resolve(); } };
  return { log, to };
};

afterEach(() => { vi.unstubAllGlobals(); });

it("pieces are written in their order, and counted", async () => {
  const { log, to } = tray();
  const counts: number[] = [];
  await pour(body([piece(3), piece(4)]), to, (bytes) => { counts.push(bytes); });
  expect([log, counts]).toEqual([[3, 4, "done"], [3, 7]]);
});

it("what breaks off is dropped, and fails", async () => {
  const { log, to } = tray();
  await expect(pour(body([piece(3)], true), to, () => undefined)).rejects.toThrow("network");
  expect(log).toEqual([3, "drop"]);
});

it("whoever chooses no file gets none; where files cannot be chosen it goes through memory", async () => {
  vi.stubGlobal("showSaveFilePicker", () => Promise.reject(new DOMException("no", "AbortError")));
  expect(await sink("a.gz", "application/gzip")).toBeNull();
  vi.stubGlobal("showSaveFilePicker", () => Promise.reject(new DOMException("no", "SecurityError")));
  expect(await sink("a.gz", "application/gzip")).not.toBeNull();
});
