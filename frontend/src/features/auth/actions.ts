import { api, unwrap } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { signedIn } from "@/shared/session/session";
import { TERMS_VERSION } from "@/shared/terms";

export interface Person { email: string; password: string; display_name: string }

/** A way in; gives what has to be sent with the code where a second factor is asked for. */
export async function entering(enter: () => Promise<void>): Promise<{ challenge: string } | null> {
  try {
    await enter();
    return null;
  } catch (error) {
    const challenge = error instanceof Problem && error.slug === "second-factor-required" ? error.body.challenge : null;
    if (challenge) return { challenge };
    throw error;
  }
}

/** Signs in with e-mail and password. */
export const signIn = (email: string, password: string) => entering(async () => {
  signedIn(unwrap(await api.POST("/api/v5/auth/login", { body: { email, password } })));
});

/** Completes a sign-in by a code of the authenticator app, or a recovery code. */
export async function showCode(challenge: string, code: string): Promise<void> {
  signedIn(unwrap(await api.POST("/api/v5/auth/login/second-factor", { body: { challenge, code } })));
}

/** Shows the code of a letter: completes a sign-up, or changes an address. */
export async function verifyEmail(code: string) {
  return unwrap(await api.POST("/api/v5/auth/verify-email", { body: { code } })).done;
}

/** Asks for a letter; answers alike for every address. */
export async function forgotPassword(email: string): Promise<void> {
  unwrap(await api.POST("/api/v5/auth/forgot-password", { body: { email } }));
}

/** Sets a new password by the code of a letter. */
export async function resetPassword(code: string, password: string): Promise<void> {
  unwrap(await api.POST("/api/v5/auth/reset-password", { body: { code, password } }));
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
