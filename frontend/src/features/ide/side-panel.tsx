import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useRef, useState } from "react";
import { files } from "@/shared/api/files";
import type { Workspace } from "@/shared/api/client";
import { NotYet, Read } from "@/shared/components/later";
import { Box, Button, ButtonLink, Heading, Item, List, Mono, Stack, Text, Time, icons } from "@/shared/components/ui";
import { minutes } from "@/shared/lib/format";
import { useAct, useMe } from "@/shared/workspaces/queries";

const parts = [["files", "Files", icons.files], ["chat", "Chat", icons.chat], ["settings", "Workspace", icons.gear]] as const;
type Part = (typeof parts)[number][0];

/** Files, chat and settings beside the editor; a second click on a tab puts the panel away. */
export function SidePanel({ workspace }: { workspace: Workspace }) {
  const [open, setOpen] = useState<Part | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const tabs = [...(list.current?.querySelectorAll<HTMLElement>("[role=tab]") ?? [])];
    const at = tabs.indexOf(document.activeElement as HTMLElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    tabs[(at + step + tabs.length) % tabs.length]?.focus();
  };
  return (
    <Box display="flex" minHeight="0" borderInlineEndWidth="1px" borderColor="border">
      <Box ref={list} role="tablist" aria-label="Beside the editor" aria-orientation="vertical" tabIndex={-1} onKeyDown={onKeyDown} display="flex" flexDirection="column" gap="1" padding="1.5">
        {parts.map(([part, name, icon], at) => (
          <Button key={part} role="tab" id={`side-${part}`} aria-label={name} title={name} aria-selected={open === part} aria-controls={open === part ? "side-panel" : undefined} tabIndex={open === part || (!open && at === 0) ? 0 : -1} look="quiet" square bg={open === part ? "bg.muted" : "transparent"} onClick={() => { setOpen(open === part ? null : part); }}>{icon}</Button>
        ))}
      </Box>
      {open && (
        <Box role="tabpanel" id="side-panel" aria-labelledby={`side-${open}`} tabIndex={0} width="18rem" overflow="auto" borderInlineStartWidth="1px" borderColor="border" padding="4">
          {open === "files" && <Files workspace={workspace} />}
          {open === "chat" && <Stack><Heading>Chat</Heading><NotYet what="A chat with a language model about this workspace." /></Stack>}
          {open === "settings" && <Settings workspace={workspace} />}
        </Box>
      )}
    </Box>
  );
}

function Files({ workspace }: { workspace: Workspace }) {
  const query = useQuery({ queryKey: ["files", workspace.id], queryFn: () => files(workspace.id) });
  return (
    <Stack>
      <Heading>Files</Heading>
      <Read query={query} what="The files' history.">
        {({ items }) => items.every(({ deleted }) => deleted)
          ? <Text quiet small>No file was changed yet. What you save appears here with its history.</Text>
          : <List display="grid" gap="2">{items.filter(({ deleted }) => !deleted).map((file) => <Item key={file.path} fontSize="sm"><Mono>{file.path}</Mono><Text quiet small><Time at={file.changed_at} /></Text></Item>)}</List>}
      </Read>
      <ButtonLink to="/settings/files">History and restore</ButtonLink>
    </Stack>
  );
}

function Settings({ workspace }: { workspace: Workspace }) {
  const act = useAct();
  const idle = useMe().data?.tenant?.limits?.idle_minutes;
  return (
    <Stack>
      <Heading overflowWrap="anywhere">{workspace.name}</Heading>
      {idle !== undefined && <Text small quiet>Sleeps after {minutes(idle)} without use. Files are kept.</Text>}
      <Button onClick={() => { act.mutate({ id: workspace.id, act: "keep" }); }}>Keep awake</Button>
      <Button onClick={() => { act.mutate({ id: workspace.id, act: "stop" }); }}>Stop</Button>
      <ButtonLink to={`/workspaces/${workspace.id}/manifests`}>Manifests</ButtonLink>
    </Stack>
  );
}
