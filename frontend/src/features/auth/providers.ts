import { api, unwrap } from "@/shared/api/client";
import { signedIn } from "@/shared/session/session";
import { TERMS_VERSION } from "@/shared/terms";
import { entering } from "./actions";

/** Hands in what a provider's answer ended with: good once, in this browser, for a minute. */
export const enterByProvider = (code: string) => entering(async () => {
  signedIn(unwrap(await api.POST("/api/v5/auth/identity/session", { body: { code } })));
});

/** Where the browser goes to sign in; with the terms only where the person was shown them. */
export const startOf = (url: string, terms: boolean) => (terms ? `${url}?terms_version=${encodeURIComponent(TERMS_VERSION)}` : url);

const SAID: Record<string, string> = {
  "sign-in-ended": "This sign-in was not begun in this browser, or took too long.",
  "provider-refused": "The provider did not confirm the sign-in.",
  "provider-unavailable": "The provider does not answer right now. Nothing is lost.",
  "provider-off": "That way of signing in is not switched on here.",
  "email-not-verified": "The provider has not verified your e-mail address. Verify it there, then come back.",
  "address-taken": "Your address has an account already. Sign in to it as you always do, then connect the provider in the settings.",
  "no-account": "Nobody here has this sign-in yet. Sign up with it first.",
  "conflict": "That sign-in belongs to another account, or another one of the provider is connected.",
};

/** What a person reads of a problem whose type alone is known. */
export const said = (problem: string) => SAID[problem] ?? "Signing in did not work. Try again in a moment.";
