import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, unwrap, unwrapIfThere } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Anchor, Block, Button, Copyable, Field, Form, Heading, Notice, Row, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";

const key = ["second-factor"];
const path = "/api/v5/me/second-factor";

/** Whether signing in asks for a code beside the password. */
export function SecondFactorPart() {
  const client = useQueryClient();
  const [recovery, setRecovery] = useState<string[] | null>(null);
  const query = useQuery({ queryKey: key, queryFn: async () => unwrapIfThere(await api.GET(path)) });
  const again = () => client.invalidateQueries({ queryKey: key });
  return (
    <>
      <Heading>Second factor</Heading>
      <Text quiet small>Signing in then asks for a code of an authenticator app beside the password.</Text>
      <Read query={query} what="A second factor.">
        {({ enabled, recovery_codes_left: left }) => {
          // Nothing else is offered beside what is shown this once.
          if (recovery) return <RecoveryCodes codes={recovery} />;
          if (enabled) return <SwitchOff left={left} onDone={() => { say("The second factor is off."); void again(); }} />;
          return <SwitchOn onDone={(codes) => { setRecovery(codes); void again(); }} />;
        }}
      </Read>
    </>
  );
}

function RecoveryCodes({ codes }: { codes: string[] }) {
  return (
    <Notice tone="good">
      <Stack gap="2">
        <Text role="status">The second factor is on. Keep these recovery codes where you find them without your phone: each signs you in once, and they are not shown again.</Text>
        <Block tabIndex={0} aria-label="Recovery codes">{codes.join("\n")}</Block>
      </Stack>
    </Notice>
  );
}

/** The person's password, for what somebody at their open browser must not do. */
function PasswordForm({ button, run }: { button: string; run: (password: string) => Promise<void> }) {
  const [password, setPassword] = useState("");
  const ask = useMutation({ mutationFn: () => run(password) });
  const fields = ask.error instanceof Problem ? ask.error.fields : {};
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); ask.mutate(); }}>
      {ask.isError && Object.keys(fields).length === 0 && <ProblemView error={ask.error} />}
      <Field label="Your password" type="password" autoComplete="current-password" maxLength={128} value={password} onChange={(event) => { setPassword(event.target.value); }} error={fields["password"]} />
      <Row><Button type="submit" look="main" busy={ask.isPending}>{button}</Button></Row>
    </Form>
  );
}

function SwitchOff({ left, onDone }: { left: number; onDone: () => void }) {
  return (
    <>
      <Text>It is on. Recovery codes left: {left}.</Text>
      <PasswordForm button="Switch it off" run={async (password) => { unwrap(await api.DELETE(path, { body: { password } })); onDone(); }} />
    </>
  );
}

function SwitchOn({ onDone }: { onDone: (codes: string[]) => void }) {
  const [offer, setOffer] = useState<Schemas["SecondFactorOffer"] | null>(null);
  const [code, setCode] = useState("");
  const confirm = useMutation({
    mutationFn: async () => unwrap(await api.POST(`${path}/confirm`, { body: { code } })).recovery_codes,
    onSuccess: onDone,
  });
  const fields = confirm.error instanceof Problem ? confirm.error.fields : {};
  if (!offer) return <PasswordForm button="Set it up" run={async (password) => { setOffer(unwrap(await api.POST(path, { body: { password } }))); }} />;
  return (
    <Form noValidate onSubmit={(event) => { event.preventDefault(); confirm.mutate(); }}>
      <Text>Add this key to your authenticator app, as a time-based one, then type the code that it shows.</Text>
      <Row flexWrap="wrap" gap="2"><Copyable text={offer.secret} what="key" /></Row>
      <Text small><Anchor href={offer.uri}>Open it in an app on this device</Anchor></Text>
      {confirm.isError && Object.keys(fields).length === 0 && <ProblemView error={confirm.error} />}
      <Field label="Code" inputMode="numeric" autoComplete="one-time-code" maxLength={6} value={code} onChange={(event) => { setCode(event.target.value); }} error={fields["code"]} />
      <Row><Button type="submit" look="main" busy={confirm.isPending}>Switch it on</Button></Row>
    </Form>
  );
}
