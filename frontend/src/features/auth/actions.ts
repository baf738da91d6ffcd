import { api, unwrap } from "@/shared/api/client";
import { signedIn } from "@/shared/session/session";
import { TERMS_VERSION } from "@/shared/terms";

export interface Person { email: string; password: string; display_name: string }

export async function signIn(email: string, password: string): Promise<void> {
  signedIn(unwrap(await api.POST("/api/v5/auth/login", { body: { email, password } })));
}

const TRIES = 20;
const PAUSE = 250;

/** Signs up, agreed to the terms. `in`: signed in at once; `mail`: a mail has to be read first, whoever owns the address. `key` names the attempt. */
export async function signUp(person: Person, key: string): Promise<"in" | "mail"> {
  const { id } = unwrap(await api.POST("/api/v5/auth/register", { params: { header: { "Idempotency-Key": key } }, body: { ...person, terms_version: TERMS_VERSION } }));
  const params = { params: { path: { id } } };
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { state } = unwrap(await api.GET("/api/v5/auth/registrations/{id}", params));
    if (state === "complete") {
      signedIn(unwrap(await api.POST("/api/v5/auth/registrations/{id}/session", params)));
      return "in";
    }
    await new Promise((done) => { setTimeout(done, PAUSE); });
  }
  return "mail";
}

/** Where to go after signing in: a path of this app, never another address. */
export function destination(wanted: string | null): string {
  return wanted !== null && /^\/(?![/\\])/.test(wanted) ? wanted : "/dashboard";
}
