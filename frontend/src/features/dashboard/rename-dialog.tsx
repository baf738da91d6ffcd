import { useState } from "react";
import type { Workspace } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Field, Form } from "@/shared/components/ui";
import { useRename } from "@/shared/workspaces/queries";

export function RenameDialog({ workspace, onClose }: { workspace: Workspace; onClose: () => void }) {
  const [name, setName] = useState(workspace.name);
  const rename = useRename();
  const fields = rename.error instanceof Problem ? rename.error.fields : {};
  return (
    <Dialog title={`Rename ${workspace.name}`} open onClose={onClose}>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); rename.mutate({ id: workspace.id, name }, { onSuccess: onClose }); }}>
        {rename.isError && !fields["name"] && <ProblemView error={rename.error} />}
        <Field label="Name" hint="Only you see it. Its address stays the same." maxLength={40} value={name} onChange={(event) => { setName(event.target.value); }} error={fields["name"]} />
        <Button type="submit" look="main" busy={rename.isPending}>Rename</Button>
      </Form>
    </Dialog>
  );
}
