import { api, unwrapIfThere } from "./client";

const of = (id: string) => ({ params: { path: { id } } });

/** A code for the workspace's own origin: 30 s, one use. Null where it cannot be entered. */
export const connect = async (id: string) => unwrapIfThere(await api.POST("/api/v5/workspaces/{id}/connect", of(id)));
/** The commits that touched it, newest first; null where the API cannot read its cell's repository. */
export const history = async (id: string) => unwrapIfThere(await api.GET("/api/v5/workspaces/{id}/history", of(id)));
/** What Git holds for it, now or as of a commit; null where the API cannot read that. */
export const manifests = async (id: string, commit: string | null) =>
  unwrapIfThere(await api.GET("/api/v5/workspaces/{id}/manifests", { params: { path: { id }, query: commit ? { commit } : {} } }));
