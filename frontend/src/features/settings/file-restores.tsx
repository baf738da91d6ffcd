import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { type FileRestore, restores } from "@/shared/api/files";
import type { Workspace } from "@/shared/api/client";
import { Item, List, Mono, Notice, Text, Time } from "@/shared/components/ui";

/** How often it is asked while something waits, in milliseconds. */
const SOON = 2_000;

const why: Record<Exclude<FileRestore["state"], "waiting" | "done">, string> = {
  gone: "This version is not kept any more. Choose a newer one.",
  not_writable: "The folder is not open to the workspace's gateway: allow its group to write there (chmod g+w), or take the text from here.",
  no_room: "The volume is full. Free some of it, then ask again.",
  in_the_way: "Something else stands there: a folder, or a link on the way. Move it, then ask again.",
};

/** What waits to be brought back in a workspace, and what became of it today. */
export function Restores({ workspace }: { workspace: Workspace }) {
  const client = useQueryClient();
  const { id } = workspace;
  const query = useQuery({
    queryKey: ["restores", id],
    queryFn: () => restores(id),
    refetchInterval: ({ state }) => (state.data?.some((one) => one.state === "waiting") ? SOON : false),
  });
  const items = query.data ?? [];
  // What came back is a new version of its file.
  const done = items.filter(({ state }) => state === "done").length;
  const known = useRef(done);
  useEffect(() => {
    if (done > known.current) for (const queryKey of [["files", id], ["snapshots", id]]) void client.invalidateQueries({ queryKey });
    known.current = done;
  }, [client, id, done]);
  if (items.length === 0) return null;
  return (
    <List display="grid" gap="2" aria-label="Brought back" aria-live="polite">
      {items.map((one) => <Item key={one.id}><Restore one={one} asleep={workspace.power.wanted === "off"} /></Item>)}
    </List>
  );
}

function Restore({ one, asleep }: { one: FileRestore; asleep: boolean }) {
  const file = <Mono>{one.path}</Mono>;
  if (one.state === "waiting") return <Notice tone="accent"><Text>{file} {asleep ? "is brought back when you wake the workspace." : "is being brought back…"}</Text></Notice>;
  if (one.state !== "done") return <Notice tone="warn"><Text>{file} was not brought back. {why[one.state]}</Text></Notice>;
  return (
    <Notice tone="good">
      <Text>{file} was brought back{one.ended_at && <> <Time at={one.ended_at} /></>}.</Text>
      {one.beside && <Text small>What stood there was nowhere else: it is beside it as <Mono>{one.beside}</Mono>.</Text>}
    </Notice>
  );
}
