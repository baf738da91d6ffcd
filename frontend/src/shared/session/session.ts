import { create } from "zustand";
import { Problem } from "@/shared/api/problem";
import { NEARLY_OVER, type Token, refresher } from "./refresh";

/** `unknown` until the API was asked; `ended`: somebody was signed in on this page and is not any more. */
export type Status = "unknown" | "in" | "out" | "ended";

interface Session {
  status: Status;
  /** Account of the token: another one means that everything shown is somebody else's. */
  account: string | null;
  /** Tenant in which the token acts: what is shown is of one, too. */
  tenant: string | null;
  token: Token | null;
}

export const useSession = create<Session>(() => ({ status: "unknown", account: null, tenant: null, token: null }));

/** Whether this browser was signed in before: it saves strangers a question. It is not a credential. */
const HINT = "coditect.was-in";
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("coditect.session") : null;

type Told = { token: Token } | { over: true } | { ask: true };
/** How long the API may take for a new token, in milliseconds: other tabs wait for the answer. */
const PATIENCE = 10_000;

function hint(on: boolean): void {
  try {
    if (on) localStorage.setItem(HINT, "1");
    else localStorage.removeItem(HINT);
  } catch {
    // Storage is off: strangers ask once more.
  }
}

export function wasIn(): boolean {
  try {
    return localStorage.getItem(HINT) === "1";
  } catch {
    return true;
  }
}

/** The account of an access token; read to notice a change, never to decide what is allowed. */
export const accountOf = (token: string) => claimOf(token, "sub");

function claimOf(token: string, name: "sub" | "tid"): string | null {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claim = (JSON.parse(atob(part)) as Record<string, unknown>)[name];
    return typeof claim === "string" ? claim : null;
  } catch {
    return null;
  }
}

function take(token: Token | null): void {
  if (token) useSession.setState({ status: "in", token, account: accountOf(token.value), tenant: claimOf(token.value, "tid") });
  else useSession.setState(({ status }) => ({ status: status === "in" || status === "ended" ? "ended" : "out", token: null }));
  hint(token !== null);
}

function tell(token: Token | null): void {
  take(token);
  channel?.postMessage((token ? { token } : { over: true }) satisfies Told);
}

channel?.addEventListener("message", ({ data }: MessageEvent<Told>) => {
  const { token, account } = useSession.getState();
  if ("ask" in data) {
    if (token && token.expiresAt - Date.now() > NEARLY_OVER) channel.postMessage({ token } satisfies Told);
  } else if ("over" in data) {
    take(null);
  } else if (!token || accountOf(data.token.value) !== account || data.token.expiresAt > token.expiresAt) {
    // Several answer whoever asks, and not each has the newest.
    take(data.token);
  }
});

interface SignedIn { access_token: string; expires_in: number }

const asToken = (answer: SignedIn, at = Date.now()): Token => ({ value: answer.access_token, expiresAt: at + answer.expires_in * 1000 });

async function exchange(): Promise<Token | null> {
  // The answer may be read hours later: by a tab that was frozen.
  const asked = Date.now();
  const response = await fetch("/api/v5/auth/refresh", { method: "POST", signal: AbortSignal.timeout(PATIENCE) });
  if (response.ok) return asToken(await response.json() as SignedIn, asked);
  if (response.status === 401) return null;
  throw new Problem(response.status, await response.json().catch(() => null) as null);
}

const renew = refresher({
  locks: navigator.locks as LockManager | undefined,
  current: () => useSession.getState().token,
  exchange,
  tell,
  ask: () => channel?.postMessage({ ask: true } satisfies Told),
  listen: (heard) => useSession.subscribe(heard),
  now: () => Date.now(),
});

/** A token that is good for a while; null when nobody is signed in. Throws when the API is not reached. */
export async function currentToken(): Promise<string | null> {
  const { token, status } = useSession.getState();
  if (token && token.expiresAt - Date.now() > NEARLY_OVER) return token.value;
  // A stranger's page asks nothing; what needs a person has asked by `begin` before.
  if (status === "out" || status === "ended" || (status === "unknown" && !wasIn())) return null;
  return (await renew(token?.value))?.value ?? null;
}

/** A token in place of `stale`, which the API refused; null when the login is over. */
export async function renewedToken(stale: string): Promise<string | null> {
  return (await renew(stale))?.value ?? null;
}

/** Finds out whether somebody is signed in; asks nothing where nobody was, unless it must be known. */
export async function begin(mustKnow: boolean): Promise<void> {
  if (useSession.getState().status !== "unknown") return;
  if (!mustKnow && !wasIn()) {
    useSession.setState({ status: "out" });
    return;
  }
  await renew();
}

/** Takes the answer of a sign-in, for this tab and the others. */
export function signedIn(answer: SignedIn): void {
  tell(asToken(answer));
}

/** Ends the login here and in the other tabs. */
export async function signOut(): Promise<void> {
  const token = useSession.getState().token;
  const response = await fetch("/api/v5/auth/logout", { method: "POST", headers: token ? { Authorization: `Bearer ${token.value}` } : {} }).catch((error: unknown) => { throw new Problem(0, null, error); });
  if (!response.ok && response.status !== 401) throw new Problem(response.status, await response.json().catch(() => null) as null);
  leave();
}

/** Forgets the login, which is over already. */
export function leave(): void {
  tell(null);
  useSession.setState({ status: "out", account: null, tenant: null, token: null });
}
