import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ProblemView } from "./problem-view";
import { Notice, Skeleton, Stack, Text } from "./ui";

/** Something that this installation does not offer, said plainly. */
export function NotYet({ what }: { what: string }) {
  return <Notice tone="idle"><Text>{what.replace(/\.$/, "")}: not available here yet.</Text></Notice>;
}

/** The states of something that is read: loading, an error, not offered here, there. */
export function Read<Data>({ query, what, children }: { query: UseQueryResult<Data | null>; what: string; children: (data: Data) => ReactNode }) {
  if (query.isPending) return <Stack role="status" aria-busy="true" aria-label="Loading"><Skeleton width="60%" /><Skeleton width="40%" /></Stack>;
  if (query.isError && query.data === undefined) return <ProblemView error={query.error} again={() => { void query.refetch(); }} />;
  return query.data == null ? <NotYet what={what} /> : <>{children(query.data)}</>;
}
