import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type KnownFile, files, restoreSnapshot, snapshots } from "@/shared/api/awaited";
import { asProblem } from "@/shared/api/problem";
import { Diff } from "@/shared/components/diff";
import { Read } from "@/shared/components/later";
import { Button, Empty, Heading, Item, List, Mono, Row, Select, Span, Stack, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { bytes, count } from "@/shared/lib/format";
import { difference } from "@/shared/lib/difference";
import { useWorkspaces } from "@/shared/workspaces/queries";

export function FilesHistory() {
  const workspaces = useWorkspaces();
  const [chosen, setChosen] = useState("");
  const id = chosen || (workspaces.data?.[0]?.id ?? "");
  return (
    <>
      <Heading>Files' history</Heading>
      <Text quiet small>Earlier versions of the files that you saved, with what changed; any of them can be brought back.</Text>
      <Read query={workspaces} what="Your workspaces.">
        {(all) => all.length === 0
          ? <Empty title="No workspace yet" text="Files of a workspace appear here once you save them." />
          : <Stack><Select aria-label="Workspace" value={id} onChange={(event) => { setChosen(event.target.value); }}>{all.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</Select><Files key={id} id={id} /></Stack>}
      </Read>
    </>
  );
}

function Files({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["files", id], queryFn: () => files(id) });
  const [open, setOpen] = useState<KnownFile | null>(null);
  return (
    <Read query={query} what="The history of files.">
      {({ items, more }) => items.length === 0
        ? <Text quiet>No file was changed yet.</Text>
        : <><List display="grid" gap="2">
            {items.map((file) => (
              <Item key={file.path}>
                <Row justifyContent="space-between"><Mono>{file.path}</Mono><Button aria-expanded={open === file} onClick={() => { setOpen(open === file ? null : file); }}>{count(file.snapshots, "version")}</Button></Row>
                {open === file && <Versions id={id} path={file.path} />}
              </Item>
            ))}
          </List>
          {more && <Text quiet small>There are more; these are the first by path.</Text>}</>}
    </Read>
  );
}

function Versions({ id, path }: { id: string; path: string }) {
  const query = useQuery({ queryKey: ["snapshots", id, path], queryFn: () => snapshots(id, path) });
  const restore = useMutation({ mutationFn: (snapshot: string) => restoreSnapshot(id, path, snapshot), onSuccess: () => { say("The file is brought back."); }, onError: (error) => { say(asProblem(error).message, "bad"); } });
  return (
    <Read query={query} what="The versions of this file.">
      {({ items }) => (
        <List display="grid" gap="3" paddingBlock="2">
          {items.map((one, at) => {
            const before = items[at + 1]?.content ?? "";
            return (
              <Item key={one.id}>
                <Row justifyContent="space-between"><Span fontSize="sm"><Time at={one.at} /> · {bytes(one.size)}</Span>{at > 0 && <Button onClick={() => { restore.mutate(one.id); }}>Restore</Button>}</Row>
                {one.content === null ? <Text quiet small>Too large to be shown.</Text> : <Diff lines={difference(before, one.content)} />}
              </Item>
            );
          })}
        </List>
      )}
    </Read>
  );
}
