import { api, unwrap } from "./client";

/** This month so far. */
export const usage = async () => unwrap(await api.GET("/api/v5/me/usage"));
/** Where the person is signed in. */
export const signIns = async () => unwrap(await api.GET("/api/v5/me/logins"));
export const endSignIn = async (id: string) => { unwrap(await api.DELETE("/api/v5/me/logins/{id}", { params: { path: { id } } })); };
/** Providers with which the person can sign in. */
export const connections = async () => unwrap(await api.GET("/api/v5/me/connections"));
