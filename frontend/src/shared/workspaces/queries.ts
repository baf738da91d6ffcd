import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Workspace, api, attempt, unwrap } from "@/shared/api/client";
import { asProblem } from "@/shared/api/problem";
import { say } from "@/shared/lib/announce";
import { expected, underWay, withExpected, withOne, without } from "./list";

async function everyPage(): Promise<Workspace[]> {
  const items: Workspace[] = [];
  let cursor: string | null | undefined;
  do {
    const page = unwrap(await api.GET("/api/v5/workspaces", { params: { query: { limit: 100, ...(cursor ? { cursor } : {}) } } }));
    items.push(...page.items.map(underWay));
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** All workspaces of the person; read anew every 15 seconds while somebody looks, whatever the stream says. */
export const workspacesQuery = queryOptions({ queryKey: ["workspaces"], queryFn: everyPage, refetchInterval: 15_000 });
export const meQuery = queryOptions({ queryKey: ["me"], queryFn: async () => unwrap(await api.GET("/api/v5/me")) });
export const plansQuery = queryOptions({ queryKey: ["plans"], queryFn: async () => unwrap(await api.GET("/api/v5/plans")), staleTime: 300_000 });

export const useWorkspaces = () => useQuery(workspacesQuery);
export const useMe = () => useQuery(meQuery);
export const usePlans = () => useQuery(plansQuery);

/** Everything that a person can do with one workspace. */
export type Act = "start" | "stop" | "keep" | "restore" | "delete";

export async function perform(id: string, act: Act): Promise<Workspace | undefined> {
  const params = { params: { path: { id } } };
  switch (act) {
    case "start": return unwrap(await api.POST("/api/v5/workspaces/{id}/start", params));
    case "stop": return unwrap(await api.POST("/api/v5/workspaces/{id}/stop", params));
    case "restore": return unwrap(await api.POST("/api/v5/workspaces/{id}/restore", params));
    case "delete": return unwrap(await api.DELETE("/api/v5/workspaces/{id}", params));
    case "keep": unwrap(await api.POST("/api/v5/workspaces/{id}/keep", params));
  }
  return undefined;
}

/** Does something with a workspace: shown at once, taken back with a word if the API says no. */
export function useAct() {
  const client = useQueryClient();
  const key = workspacesQuery.queryKey;
  return useMutation({
    mutationFn: ({ id, act }: { id: string; act: Act }) => perform(id, act),
    onMutate: async ({ id, act }) => {
      await client.cancelQueries({ queryKey: key });
      const before = client.getQueryData(key)?.find((one) => one.id === id);
      if (before && (act === "start" || act === "stop")) client.setQueryData(key, (list = []) => withExpected(list, expected(before, act === "start" ? "on" : "off", new Date().toISOString())));
      return { before };
    },
    onSuccess: (after, { act }) => {
      if (after) client.setQueryData(key, (list = []) => withOne(list, after));
      if (act === "keep") say("It stays awake.");
    },
    onError: (error, _what, kept) => {
      const before = kept?.before;
      if (before) client.setQueryData(key, (list = []) => withOne(list, before));
      say(asProblem(error).message, "bad");
    },
  });
}

export function useCreate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, key }: { name: string; key: string }) =>
      unwrap(await api.POST("/api/v5/workspaces", { params: { header: { "Idempotency-Key": key } }, body: { name } })),
    onSuccess: (made) => { client.setQueryData(workspacesQuery.queryKey, (list = []) => withOne(list, made)); },
  });
}

export function useRename() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, name }: { id: string; name: string }) => unwrap(await api.PATCH("/api/v5/workspaces/{id}", { params: { path: { id } }, body: { name } })),
    onSuccess: (after) => { client.setQueryData(workspacesQuery.queryKey, (list = []) => withOne(list, after)); },
  });
}

export function useEraseWorkspace() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ id, password }: { id: string; password: string }) => { unwrap(await api.POST("/api/v5/workspaces/{id}/erase", { params: { path: { id } }, body: { password } })); },
    onSuccess: (_done, { id }) => { client.setQueryData(workspacesQuery.queryKey, (list = []) => without(list, id)); },
  });
}

export { attempt };
