import createClient from "openapi-fetch";
import { currentToken, renewedToken } from "@/shared/session/session";
import { Problem, type ProblemBody } from "./problem";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Workspace = Schemas["Workspace"];
export type Me = Schemas["Me"];
export type Plan = Schemas["Plan"];

/** A request with the access token; once more with a new one if that was refused. Throws what `fetch` does. */
export async function authorised(request: Request): Promise<Response> {
  const again = request.clone();
  const token = await currentToken();
  const response = await fetch(withToken(request, token));
  if (response.status !== 401 || token === null) return response;
  const renewed = await renewedToken(token);
  return renewed === null ? response : fetch(withToken(again, renewed));
}

function withToken(request: Request, token: string | null): Request {
  if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

async function reached(request: Request): Promise<Response> {
  try {
    return await authorised(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw error instanceof Problem ? error : new Problem(0, null, error);
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: reached });

/** What an answer holds, or the problem that it is. */
export function unwrap<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  if (answer.response.ok) return answer.data as Data;
  const body = typeof answer.error === "object" ? (answer.error as Partial<ProblemBody> | null) : null;
  throw new Problem(answer.response.status, body);
}

/** The same where the address may have nothing: an API without what the question is about. */
export function unwrapIfThere<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data | null {
  return answer.response.status === 404 ? null : unwrap(answer);
}

/** An answer as it comes, for what is too large to be held at once. Throws the problem that it is. */
export async function streamed(path: string, signal: AbortSignal): Promise<Response> {
  const response = await reached(new Request(new URL(path, location.origin), { signal }));
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => null) as Partial<ProblemBody> | null);
  return response;
}

/** One call that the generated types do not know. Answers nothing where the API has no such address. */
export async function probe<Data>(method: string, path: string, body?: unknown): Promise<Data | null> {
  const request = new Request(new URL(path, location.origin), {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const response = await reached(request);
  if (response.status === 404 || response.status === 405 || response.status === 501) return null;
  const answer: unknown = response.status === 204 ? {} : await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, answer as Partial<ProblemBody> | null);
  return answer as Data;
}

/** Names an attempt, so that sending it twice does it once. */
export const attempt = () => crypto.randomUUID();
