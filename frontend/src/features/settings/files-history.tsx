import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { files } from "@/shared/api/files";
import type { Workspace } from "@/shared/api/client";
import { Read } from "@/shared/components/later";
import { Button, Empty, Heading, Input, Item, List, Mono, Row, Select, Span, Stack, Text, Time } from "@/shared/components/ui";
import { count } from "@/shared/lib/format";
import { useWorkspaces } from "@/shared/workspaces/queries";
import { Restores } from "./file-restores";
import { Versions } from "./file-versions";

/** Enough to want a search among them. */
const MANY = 8;

export function FilesHistory() {
  const workspaces = useWorkspaces();
  const [chosen, setChosen] = useState("");
  return (
    <>
      <Heading>Files&apos; history</Heading>
      <Text quiet small>The newest ten versions of each text file that you saved, with what changed. Files whose names say that they hold secrets, and what your .gitignore leaves out, never leave the workspace.</Text>
      <Read query={workspaces} what="Your workspaces.">
        {(all) => {
          const workspace = all.find(({ id }) => id === chosen) ?? all[0];
          if (!workspace) return <Empty title="No workspace yet" text="Files of a workspace appear here once you save them." />;
          return (
            <Stack gap="4">
              {all.length > 1 && <Select aria-label="Workspace" value={workspace.id} onChange={(event) => { setChosen(event.target.value); }}>{all.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</Select>}
              <Restores workspace={workspace} />
              <Files key={workspace.id} workspace={workspace} />
            </Stack>
          );
        }}
      </Read>
    </>
  );
}

function Files({ workspace }: { workspace: Workspace }) {
  const query = useQuery({ queryKey: ["files", workspace.id], queryFn: () => files(workspace.id) });
  const [open, setOpen] = useState<string | null>(null);
  const [part, setPart] = useState("");
  return (
    <Read query={query} what="The history of files.">
      {({ items, more }) => {
        const shown = items.filter(({ path }) => path.toLowerCase().includes(part.trim().toLowerCase()));
        if (items.length === 0) return <Text quiet>No file was changed yet.</Text>;
        return (
          <Stack>
            {items.length >= MANY && <Input type="search" aria-label="Find a file" placeholder="Find a file" value={part} onChange={(event) => { setPart(event.target.value); }} />}
            {shown.length === 0 && <Text quiet>No file is called so.</Text>}
            <List display="grid" gap="2">
              {shown.map((file) => (
                <Item key={file.path}>
                  <Row justifyContent="space-between" gap="3">
                    <Span minWidth="0"><Mono>{file.path}</Mono>{file.deleted && <Span quiet fontSize="sm"> · deleted <Time at={file.changed_at} /></Span>}</Span>
                    {file.snapshots === 0
                      ? <Text quiet small flexShrink="0">no version</Text>
                      : <Button aria-expanded={open === file.path} aria-label={`${count(file.snapshots, "version")} of ${file.path}`} onClick={() => { setOpen(open === file.path ? null : file.path); }}>{count(file.snapshots, "version")}</Button>}
                  </Row>
                  {open === file.path && <Versions workspace={workspace} path={file.path} deleted={file.deleted} onForgotten={() => { setOpen(null); }} />}
                </Item>
              ))}
            </List>
            {more && <Text quiet small>There are more; these are the first by path.</Text>}
          </Stack>
        );
      }}
    </Read>
  );
}
