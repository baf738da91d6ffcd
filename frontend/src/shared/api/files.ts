import { type Schemas, api, unwrap } from "./client";

export type KnownFile = Schemas["File"];
export type Snapshot = Schemas["Snapshot"];
export type FileRestore = Schemas["FileRestore"];

/** More than this nobody looks through on a page. */
const MOST_FILES = 500;

/** The files of a workspace that are known, by path. */
export async function files(id: string): Promise<{ items: KnownFile[]; more: boolean }> {
  const items: KnownFile[] = [];
  let cursor: string | null = null;
  do {
    const page: Schemas["FilePage"] = unwrap(await api.GET("/api/v5/workspaces/{id}/files", { params: { path: { id }, query: { limit: 100, ...(cursor ? { cursor } : {}) } } }));
    items.push(...page.items);
    cursor = page.next_cursor ?? null;
  } while (cursor && items.length < MOST_FILES);
  return { items, more: cursor !== null };
}

/** The versions of a file, the newest first. */
export const snapshots = async (id: string, path: string) => unwrap(await api.GET("/api/v5/workspaces/{id}/files/{path}/snapshots", { params: { path: { id, path } } })).items;

/** The text of one. */
export const content = async (id: string, path: string, snapshot: string): Promise<string> =>
  unwrap(await api.GET("/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}", { params: { path: { id, path, snapshot } }, parseAs: "text" }));

/** Asks for one back; it waits for the workspace. */
export const restore = async (id: string, path: string, snapshot: string): Promise<FileRestore> =>
  unwrap(await api.POST("/api/v5/workspaces/{id}/files/{path}/snapshots/{snapshot}/restore", { params: { path: { id, path, snapshot } } }));

/** What waits, and what became of the others within a day. */
export const restores = async (id: string) => unwrap(await api.GET("/api/v5/workspaces/{id}/restores", { params: { path: { id } } })).items;

/** Forgets all versions of a file; the file itself stays. */
export const forget = async (id: string, path: string) => { unwrap(await api.DELETE("/api/v5/workspaces/{id}/files/{path}", { params: { path: { id, path } } })); };
