export interface Line { kind: "same" | "added" | "removed"; text: string }

/** Above this many comparisons everything counts as changed: nobody reads such a difference line by line. */
const MOST = 4_000_000;

/** What changed between two texts, line by line: the longest common part stays. */
export function difference(before: string, after: string): Line[] {
  const a = before === "" ? [] : before.split("\n");
  const b = after === "" ? [] : after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const line = (kind: Line["kind"]) => (text: string): Line => ({ kind, text });
  const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...a.slice(0, start).map(line("same")), ...middle, ...a.slice(a.length - end).map(line("same"))];
}

function changed(a: string[], b: string[]): Line[] {
  if (a.length * b.length > MOST) return [...a.map((text): Line => ({ kind: "removed", text })), ...b.map((text): Line => ({ kind: "added", text }))];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const [old, young] = [a[i], b[j]];
    if (old !== undefined && old === young) { lines.push({ kind: "same", text: old }); i += 1; j += 1; }
    else if (old !== undefined && (young === undefined || at(i + 1, j) >= at(i, j + 1))) { lines.push({ kind: "removed", text: old }); i += 1; }
    else if (young !== undefined) { lines.push({ kind: "added", text: young }); j += 1; }
  }
  return lines;
}

/** Lines that did not change and of which nobody need see more than how many there are. */
export interface Gap { kind: "gap"; count: number }

/** The changes with so many lines around each, and what lies between them as gaps. */
export function inContext(lines: readonly Line[], around = 3): (Line | Gap)[] {
  const near = lines.map(({ kind }) => kind !== "same");
  for (let distance = 0; distance < around; distance += 1) {
    const before = [...near];
    for (let at = 0; at < near.length; at += 1) near[at] = before[at] === true || before[at - 1] === true || before[at + 1] === true;
  }
  const shown: (Line | Gap)[] = [];
  lines.forEach((line, at) => {
    const last = shown.at(-1);
    if (near[at]) shown.push(line);
    else if (last?.kind === "gap") last.count += 1;
    else shown.push({ kind: "gap", count: 1 });
  });
  return shown;
}

/** The lines of a unified diff, without its heads. */
export function unified(text: string): Line[] {
  return text.split("\n").filter((line) => line !== "" && !/^(diff |index |--- |\+\+\+ |@@)/.test(line)).map((line): Line => ({
    kind: line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "same",
    text: line.slice(1),
  }));
}
