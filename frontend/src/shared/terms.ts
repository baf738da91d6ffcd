/** The version of the terms that a sign-up agrees to. Whoever changes their text (`features/legal`) changes this. */
export const TERMS_VERSION = "2026-11-01";
