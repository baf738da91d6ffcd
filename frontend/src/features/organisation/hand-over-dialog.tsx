import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Member, handOver } from "@/shared/api/tenants";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Choice, Dialog, Form, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { membersQuery } from "./queries";
import { stays } from "./rules";

const ORGANISATION = "";

/** Who gets the workspaces of somebody who left, with the files in them. */
export function HandOverDialog({ one, name, all, onClose }: { one: Member; name: string; all: Member[]; onClose: () => void }) {
  const client = useQueryClient();
  const [to, setTo] = useState(ORGANISATION);
  const give = useMutation({
    mutationFn: () => handOver(one.user, to === ORGANISATION ? null : to),
    onSuccess: () => { say("The workspaces are handed over."); onClose(); return client.invalidateQueries({ queryKey: membersQuery.queryKey }); },
  });
  const heirs = all.filter((other) => stays(other) && other.user !== one.user);
  return (
    <Dialog title="Hand workspaces over" open onClose={onClose}>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); give.mutate(); }}>
        {give.isError && <ProblemView error={give.error} />}
        <Text small>{one.left_behind ? "What was left behind" : `The workspaces of ${name}`} with all files will not be deleted. What was open in them, keys and conversations go.</Text>
        <Choice label="Who takes over?" value={to} onChange={(event) => { setTo(event.target.value); }} options={[[ORGANISATION, "The organisation: one of its owners"], ...heirs.map((other) => [other.user, `${other.display_name ?? "Somebody"}${other.email ? `, ${other.email}` : ""}`] as const)]} />
        <Button type="submit" look="main" busy={give.isPending}>Hand over</Button>
      </Form>
    </Dialog>
  );
}
