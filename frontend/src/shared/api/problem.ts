import { sentence } from "@/shared/lib/format";
import type { components } from "./schema";

export type ProblemBody = components["schemas"]["Problem"];

/** Why the API did not do what was asked, or was not reached. */
export class Problem extends Error {
  /** The last part of the problem's type; `offline` if nobody answered. */
  readonly slug: string;
  readonly status: number;
  readonly body: Partial<ProblemBody>;

  constructor(status: number, body: Partial<ProblemBody> | null, cause?: unknown) {
    super(
      status === 0
        ? "The server does not answer. What you typed is kept; try again in a moment."
        : sentence(body?.detail ?? body?.title ?? "The server could not answer. Try again in a moment"),
      { cause },
    );
    this.name = "Problem";
    this.status = status;
    this.body = body ?? {};
    this.slug = status === 0 ? "offline" : (body?.type?.split("/").pop() ?? "unknown");
  }

  /** What is wrong with each field, as sentences, by the field's name. */
  get fields(): Record<string, string> {
    return Object.fromEntries((this.body.errors ?? []).map(({ field, detail }) => [field, sentence(`this ${detail}`)]));
  }
}

/** What `error` is to a person, whatever it was. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, null, error);
}

/** What to do about it, where the problem itself does not say. */
export function remedy(problem: Problem): string | null {
  if (problem.slug === "limit-reached") return "Free some of it, or choose a larger plan.";
  if (problem.slug === "too-many-requests") return "Wait a moment, then try again.";
  if (problem.slug === "conflict" || problem.slug === "precondition-failed") return "It changed meanwhile. Look at it again, then decide.";
  if (problem.status >= 500) return "Nothing is lost. Try again; if it stays, report the request id.";
  return null;
}
