import { useState } from "react";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, ButtonLink, Dialog, Field, Form, Notice } from "@/shared/components/ui";
import { attempt, useCreate } from "@/shared/workspaces/queries";

/** A new workspace; it starts at once. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [key, setKey] = useState(attempt);
  const create = useCreate();
  const problem = create.error instanceof Problem ? create.error : null;
  const full = problem?.slug === "limit-reached";
  return (
    <Dialog title="New workspace" open onClose={onClose}>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); create.mutate({ name, key }, { onSuccess: onClose }); }}>
        {full && <Notice tone="warn" role="alert" action={<ButtonLink to="/billing">See plans</ButtonLink>}>{problem.message}</Notice>}
        {create.isError && !full && !problem?.fields["name"] && <ProblemView error={create.error} />}
        <Field label="Name" hint="Letters, digits and spaces; only you see it." maxLength={40} autoComplete="off" value={name} onChange={(event) => { setName(event.target.value); setKey(attempt()); }} error={problem?.fields["name"]} />
        <Button type="submit" look="main" busy={create.isPending}>{create.isPending ? "Creating…" : "Create"}</Button>
      </Form>
    </Dialog>
  );
}
