import { api, unwrap } from "./client";

/** This month so far. */
export const usage = async () => unwrap(await api.GET("/api/v5/me/usage"));
/** Where the person is signed in. */
export const signIns = async () => unwrap(await api.GET("/api/v5/me/logins"));
export const endSignIn = async (id: string) => { unwrap(await api.DELETE("/api/v5/me/logins/{id}", { params: { path: { id } } })); };
/** Providers with which the person can sign in. */
export const connections = async () => unwrap(await api.GET("/api/v5/me/connections"));
/** Providers that are switched on here. */
export const providers = async () => unwrap(await api.GET("/api/v5/auth/providers")).items;
/** Begins to connect a provider: the address at which the person proves to be known there. */
export async function connect(provider: string, password: string): Promise<string> {
  const body = password === "" ? {} : { password };
  return unwrap(await api.POST("/api/v5/me/connections/{provider}", { params: { path: { provider } }, body })).authorize_url;
}
export const disconnect = async (provider: string) => { unwrap(await api.DELETE("/api/v5/me/connections/{provider}", { params: { path: { provider } } })); };
