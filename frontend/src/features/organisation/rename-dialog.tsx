import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Problem } from "@/shared/api/problem";
import { rename } from "@/shared/api/tenants";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Field, Form, Row } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { membershipsQuery } from "@/shared/tenants/queries";
import { meQuery } from "@/shared/workspaces/queries";

/** What the organisation is called, for its members and whom they invite. */
export function RenameDialog({ name, onClose }: { name: string | null; onClose: () => void }) {
  const client = useQueryClient();
  const [typed, setTyped] = useState(name ?? "");
  const change = useMutation({
    mutationFn: () => rename(typed.trim() === "" ? null : typed),
    onSuccess: async () => {
      say("The organisation is renamed.");
      onClose();
      await Promise.all([meQuery, membershipsQuery].map(({ queryKey }) => client.invalidateQueries({ queryKey })));
    },
  });
  const fields = change.error instanceof Problem ? change.error.fields : {};
  return (
    <Dialog title="Rename the organisation" open onClose={onClose}>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); change.mutate(); }}>
        {change.isError && !fields["name"] && <ProblemView error={change.error} />}
        <Field label="Name" hint="Its members see it, and whom they invite. Empty: the end of its id." autoComplete="organization" maxLength={64} value={typed} onChange={(event) => { setTyped(event.target.value); }} error={fields["name"]} />
        <Row><Button type="submit" look="main" busy={change.isPending}>Save</Button></Row>
      </Form>
    </Dialog>
  );
}
