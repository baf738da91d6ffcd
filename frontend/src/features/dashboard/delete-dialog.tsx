import { useState } from "react";
import type { Workspace } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Field, Form, Item, List, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { useEraseWorkspace } from "@/shared/workspaces/queries";

/** What will go, and until when it can be undone; or at once, with the password. */
export function DeleteDialog({ workspace, onClose, onMark }: { workspace: Workspace; onClose: () => void; onMark: () => void }) {
  const [now, setNow] = useState(false);
  const [password, setPassword] = useState("");
  const erase = useEraseWorkspace();
  const fields = erase.error instanceof Problem ? erase.error.fields : {};
  return (
    <Dialog title={`Delete ${workspace.name}`} open onClose={onClose}>
      <Stack gap="4">
        <List display="grid" gap="1" fontSize="sm">
          <Item>Its volume of {workspace.storage.gib} Gi with all files goes.</Item>
          <Item>Its address {workspace.slug} is never given out again.</Item>
          <Item>It stops at once.</Item>
        </List>
        {now
          ? <Form noValidate onSubmit={(event) => { event.preventDefault(); erase.mutate({ id: workspace.id, password }, { onSuccess: () => { say(`${workspace.name} is erased.`); onClose(); } }); }}>
              {erase.isError && !fields["password"] && <ProblemView error={erase.error} />}
              <Text small>This cannot be undone by anybody.</Text>
              <Field label="Your password" type="password" autoComplete="current-password" value={password} onChange={(event) => { setPassword(event.target.value); }} error={fields["password"]} />
              <Button type="submit" look="danger" busy={erase.isPending}>Erase it now</Button>
            </Form>
          : <>
              <Text small>It can be restored until the grace period ends; the day stands on its card afterwards.</Text>
              <Button look="danger" onClick={() => { onMark(); onClose(); }}>Delete</Button>
              <Button look="quiet" onClick={() => { setNow(true); }}>Erase at once and for good…</Button>
            </>}
      </Stack>
    </Dialog>
  );
}
