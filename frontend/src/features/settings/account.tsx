import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, unwrap } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Card, Check, Field, Form, Heading, Item, List, Notice, Row, Stack, Subheading } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { clock } from "@/shared/lib/format";
import { keep } from "@/shared/lib/save";
import { leave } from "@/shared/session/session";
import { meQuery, useMe } from "@/shared/workspaces/queries";
import { CopyOfAll } from "./copy-of-all";

/** Deleting the account: what goes, until when it can be undone, and the password. */
export function Account() {
  const client = useQueryClient();
  const me = useMe().data;
  const [password, setPassword] = useState("");
  const [now, setNow] = useState(false);
  const restore = useMutation({
    mutationFn: async () => unwrap(await api.POST("/api/v5/me/restore")),
    onSuccess: (after) => { client.setQueryData(meQuery.queryKey, after); say("Your account is restored. Workspaces stay off until you wake them."); },
  });
  const erase = useMutation({
    mutationFn: async () => unwrap(await api.DELETE("/api/v5/me", { body: { password, mode: now ? "now" : "grace" } })),
    onSuccess: (after) => {
      setPassword("");
      if (!("kept" in after)) { client.setQueryData(meQuery.queryKey, after); return; }
      // Told this once: it is kept for the person before they are out.
      keep(`coditect-erasure-${after.id}.json`, new Blob([JSON.stringify(after, null, 2)], { type: "application/json" }));
      leave();
      say("Your account is erased. Your browser keeps the receipt among its downloads.");
    },
  });
  const fields = erase.error instanceof Problem ? erase.error.fields : {};
  if (me?.deletes_at) {
    return (
      <>
        <Heading>Erase account</Heading>
        {restore.isError && <ProblemView error={restore.error} />}
        <Notice tone="warn">Your account is deleted on {clock(me.deletes_at)} with everything in it.</Notice>
        <Row><Button look="main" busy={restore.isPending} onClick={() => { restore.mutate(); }}>Restore it</Button></Row>
      </>
    );
  }
  return (
    <>
      <Heading>Erase account</Heading>
      <List display="grid" gap="1" fontSize="sm">
        <Item>Your workspaces stop, and their volumes with all files go.</Item>
        <Item>Your address, name, logins and history go.</Item>
        <Item>What Git holds are random ids; the objects leave it with the next commit.</Item>
        <Item>What is erased at once comes with a receipt: what went, what is kept, and why.</Item>
      </List>
      <Card aria-labelledby="before"><Stack gap="3"><Subheading id="before">Take your data with you first</Subheading><CopyOfAll /></Stack></Card>
      <Form noValidate onSubmit={(event) => { event.preventDefault(); erase.mutate(); }}>
        {erase.isError && !fields["password"] && <ProblemView error={erase.error} />}
        <Check checked={now} onChange={(event) => { setNow(event.target.checked); }}>At once and for good. Without this, you can change your mind until the grace period ends.</Check>
        <Field label="Your password" type="password" autoComplete="current-password" maxLength={128} value={password} onChange={(event) => { setPassword(event.target.value); }} error={fields["password"]} />
        <Row><Button type="submit" look="danger" busy={erase.isPending}>{now ? "Erase my account now" : "Delete my account"}</Button></Row>
      </Form>
    </>
  );
}
