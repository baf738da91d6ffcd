import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { attempt } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Check, Choice, Field, Form, Group, Mono, Row, Text } from "@/shared/components/ui";
import { ALL, type ApiKey, LASTING, SCOPES, SEEING, type Scope, end, makeApiKey } from "./keys";

/** A new key: what for, what it may do, how long. The password is asked for once the API says that it needs it. */
export function ApiKeyForm({ onMade, onBack }: { onMade: (key: ApiKey) => void; onBack: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const [scopes, setScopes] = useState<ReadonlySet<Scope>>(new Set(SEEING));
  const [password, setPassword] = useState<string | null>(null);
  // What is sent twice is made once; what was changed in between is another attempt.
  const [key, setKey] = useState(attempt);
  const field = useRef<HTMLInputElement>(null);
  const make = useMutation({
    mutationFn: (sent: string | null) => makeApiKey({ name, scopes: ALL.filter((one) => scopes.has(one)), expires_at: end(days, Date.now()), ...(sent === null ? {} : { password: sent }) }, key),
    onSuccess: (made) => { onMade(made); return client.invalidateQueries({ queryKey: ["api-keys"] }); },
    onError: (error) => {
      setKey(attempt());
      if (error instanceof Problem && error.fields["password"]) setPassword((before) => before ?? "");
    },
  });
  const asked = password !== null;
  useEffect(() => { if (asked) field.current?.focus(); }, [asked]);
  const fields = make.error instanceof Problem ? make.error.fields : {};
  // The first time it is no mistake of the person's.
  const wrong = typeof make.variables === "string" ? fields["password"] : undefined;
  const turn = (scope: Scope, on: boolean) => { setScopes(new Set(ALL.filter((one) => (one === scope ? on : scopes.has(one))))); };
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); make.mutate(password); }}>
      {make.isError && Object.keys(fields).length === 0 && <ProblemView error={make.error} />}
      <Field label="What is it for?" placeholder="backup script" maxLength={64} value={name} onChange={(event) => { setName(event.target.value); }} error={fields["name"]} />
      <Choice label="How long is it good?" options={LASTING} value={days} onChange={(event) => { setDays(event.target.value); }} error={fields["expires_at"]} />
      <Group legend="What may it do?" error={fields["scopes"]} aside={<Row gap="1"><Button look="quiet" minHeight="7" onClick={() => { setScopes(new Set(SEEING)); }}>See only</Button><Button look="quiet" minHeight="7" onClick={() => { setScopes(new Set(ALL)); }}>Everything</Button></Row>}>
        {ALL.map((scope) => (
          <Check key={scope} checked={scopes.has(scope)} onChange={(event) => { turn(scope, event.target.checked); }}>{SCOPES[scope]} <Mono color="fg.muted" whiteSpace="nowrap">{scope}</Mono></Check>
        ))}
        <Text small quiet>No key asks for passwords, makes keys, ends sign-ins, pays or deletes your account.</Text>
      </Group>
      {asked && <Field ref={field} label="Your password" type="password" autoComplete="current-password" maxLength={128} hint="You signed in more than ten minutes ago, so it is asked for again." value={password} onChange={(event) => { setPassword(event.target.value); }} error={wrong} />}
      <Row><Button type="submit" look="main" busy={make.isPending}>Make the key</Button><Button onClick={onBack}>Not now</Button></Row>
    </Form>
  );
}
