import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Snapshot, content, forget, restore, snapshots } from "@/shared/api/files";
import type { Workspace } from "@/shared/api/client";
import { asProblem } from "@/shared/api/problem";
import { Diff } from "@/shared/components/diff";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Item, List, Mono, Row, Span, Stack, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { difference } from "@/shared/lib/difference";
import { bytes, clock } from "@/shared/lib/format";

/** The versions of a file with what each changed; any of them can be brought back. */
export function Versions({ workspace, path, deleted, onForgotten }: { workspace: Workspace; path: string; deleted: boolean; onForgotten: () => void }) {
  const { id } = workspace;
  const query = useQuery({ queryKey: ["snapshots", id, path], queryFn: () => snapshots(id, path) });
  const [wanted, setWanted] = useState<Snapshot | null>(null);
  const [forgetting, setForgetting] = useState(false);
  return (
    <Read query={query} what="The versions of this file.">
      {(items) => (
        <Stack paddingBlock="3" gap="4">
          <List display="grid" gap="4">
            {items.map((one, at) => (
              <Item key={one.id} display="grid" gap="2">
                <Row justifyContent="space-between" minHeight="9">
                  <Span fontSize="sm">{at === 0 ? "Newest, " : ""}<Time at={one.at} /> · {bytes(one.size)}</Span>
                  {(at > 0 || deleted) && <Button aria-label={`Bring back the version of ${clock(one.at)}`} onClick={() => { setWanted(one); }}>Bring back</Button>}
                </Row>
                <Change id={id} path={path} after={one} before={items[at + 1]} />
              </Item>
            ))}
          </List>
          <Row><Button look="quiet" onClick={() => { setForgetting(true); }}>Forget these versions…</Button></Row>
          {wanted && <BringBack workspace={workspace} path={path} version={wanted} onClose={() => { setWanted(null); }} />}
          {forgetting && <Forget id={id} path={path} onClose={() => { setForgetting(false); }} onForgotten={onForgotten} />}
        </Stack>
      )}
    </Read>
  );
}

/** What a version holds never changes. */
const useContent = (id: string, path: string, snapshot: string | undefined) =>
  useQuery({ queryKey: ["snapshot", id, path, snapshot], queryFn: () => (snapshot ? content(id, path, snapshot) : ""), staleTime: Infinity });

function Change({ id, path, after, before }: { id: string; path: string; after: Snapshot; before: Snapshot | undefined }) {
  const [now, then] = [useContent(id, path, after.id), useContent(id, path, before?.id)];
  const failed = [now, then].find(({ isError }) => isError);
  if (failed) return <ProblemView error={failed.error} again={() => { void failed.refetch(); }} />;
  if (now.data === undefined || then.data === undefined) return <Text quiet small role="status" aria-busy="true">Loading what changed…</Text>;
  if (now.data === then.data) return <Text quiet small>{before ? "The same as the one before." : "Empty."}</Text>;
  return (
    <>
      {!before && <Text quiet small>The oldest version that is kept, as a whole.</Text>}
      <Diff whole={false} lines={difference(then.data, now.data)} name={`What changed, ${clock(after.at)}`} />
    </>
  );
}

function BringBack({ workspace, path, version, onClose }: { workspace: Workspace; path: string; version: Snapshot; onClose: () => void }) {
  const client = useQueryClient();
  const asleep = workspace.power.wanted === "off";
  const ask = useMutation({
    mutationFn: () => restore(workspace.id, path, version.id),
    onSuccess: () => {
      say(asleep ? "It is brought back when you wake the workspace." : "It is being brought back.");
      onClose();
      return client.invalidateQueries({ queryKey: ["restores", workspace.id] });
    },
  });
  return (
    <Dialog title="Bring this version back?" open onClose={onClose}>
      <Stack gap="4">
        <Text><Mono>{path}</Mono> becomes what it was on {clock(version.at)}.</Text>
        <Text small>What stands there now is not lost: either it is among these versions, or it stays beside the file under a name of its own.</Text>
        <Text small>{asleep ? "The workspace sleeps. This waits, and is done when you wake it." : "The workspace runs: it takes some seconds. An editor that has the file open shows the change."}</Text>
        {ask.isError && <ProblemView error={ask.error} />}
        <Button look="main" busy={ask.isPending} onClick={() => { ask.mutate(); }}>Bring it back</Button>
      </Stack>
    </Dialog>
  );
}

function Forget({ id, path, onClose, onForgotten }: { id: string; path: string; onClose: () => void; onForgotten: () => void }) {
  const client = useQueryClient();
  const gone = useMutation({
    mutationFn: () => forget(id, path),
    onSuccess: () => { onClose(); onForgotten(); say("Its versions are forgotten."); return client.invalidateQueries({ queryKey: ["files", id] }); },
    onError: (error) => { say(asProblem(error).message, "bad"); },
  });
  return (
    <Dialog title="Forget these versions?" open onClose={onClose}>
      <Stack gap="4">
        <Text>All versions of <Mono>{path}</Mono> that are kept here go, for good.</Text>
        <Text small>The file in the workspace stays. The next time that you save it, it has a first version again.</Text>
        <Button look="danger" busy={gone.isPending} onClick={() => { gone.mutate(); }}>Forget them</Button>
      </Stack>
    </Dialog>
  );
}
