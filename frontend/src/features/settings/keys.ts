import { type Schemas, api, unwrap } from "@/shared/api/client";

export type ApiKey = Schemas["ApiKey"];
export type Scope = Schemas["Scope"];

/** What each scope opens, in words; the order is the page's. */
export const SCOPES: Record<Scope, string> = {
  "profile:read": "See who you are, and what you used",
  "workspaces:read": "See workspaces, and follow them",
  "workspaces:write": "Make, rename, start, stop and delete workspaces",
  "sessions:read": "See what is open in workspaces",
  "sessions:write": "Open, change and end what is open in workspaces",
  "files:read": "See workspaces' files and their versions",
  "files:write": "Bring versions of files back, and forget files",
  "tenant:read": "See the organisation, its members and what was decided, as far as you may",
  "tenant:write": "Invite and remove members and change their roles, as far as you may",
};
export const ALL = Object.keys(SCOPES) as Scope[];
/** A key that changes nothing. */
export const SEEING = ALL.filter((scope) => scope.endsWith(":read"));

/** A few scopes as one says them. */
export function inWords(scopes: readonly Scope[]): string {
  if (scopes.length === ALL.length) return "may do everything that keys may";
  if (SEEING.length === scopes.length && SEEING.every((one) => scopes.includes(one))) return "may see, and change nothing";
  return ALL.filter((one) => scopes.includes(one)).join(", ");
}

/** How long keys may be good, in days; none: until they are revoked. */
export const LASTING: readonly (readonly [days: string, text: string])[] = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "A year"], ["", "Until I revoke it"]];

/** When a key ends that is made `now` (milliseconds) and is good for so many days. */
export const end = (days: string, now: number): string | null => (days === "" ? null : new Date(now + Number(days) * 86_400_000).toISOString());

/** How a program uses a key of the installation at `origin`. */
export const example = (origin: string, key = "$CODITECT_API_KEY") => `curl -H "Authorization: Bearer ${key}" \\\n  ${origin}/api/v5/workspaces`;
/** How the command line does; it asks for the key. */
export const login = (origin: string) => `coditect login --url ${origin}`;

export const apiKeys = async () => unwrap(await api.GET("/api/v5/me/api-keys")).items;
/** Makes a key. `attempt` names the attempt: sent again, it is the same key. */
export const makeApiKey = async (key: Schemas["NewApiKey"], attempt: string) =>
  unwrap(await api.POST("/api/v5/me/api-keys", { params: { header: { "Idempotency-Key": attempt } }, body: key }));
export const revokeApiKey = async (id: string) => { unwrap(await api.DELETE("/api/v5/me/api-keys/{id}", { params: { path: { id } } })); };
