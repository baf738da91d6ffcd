import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, unwrap, unwrapIfThere } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Anchor, Box, Button, Copyable, Field, Form, Heading, Row, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { Qr } from "./qr";
import { RecoveryCodes } from "./recovery-codes";

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
          if (recovery) return <RecoveryCodes codes={recovery} onKept={() => { setRecovery(null); }} />;
          if (enabled) return <SwitchOff left={left} onDone={() => { say("The second factor is off."); void again(); }} />;
          return <SwitchOn onDone={(codes) => { setRecovery(codes); void again(); }} />;
        }}
      </Read>
    </>
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
      <Text>Scan this with your authenticator app, then type the code that it shows.</Text>
      <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", sm: "auto minmax(0, 1fr)" }} gap="5" alignItems="center">
        <Qr text={offer.uri} title="The key for your authenticator app, to be scanned" />
        <Stack gap="3" alignItems="flex-start">
          <Text small>No camera? Type this key into the app, as a time-based one:</Text>
          <Copyable text={offer.secret} what="key" />
          <Text small><Anchor href={offer.uri}>Open it in an app on this device</Anchor></Text>
        </Stack>
      </Box>
      {confirm.isError && Object.keys(fields).length === 0 && <ProblemView error={confirm.error} />}
      <Field label="Code" inputMode="numeric" autoComplete="one-time-code" maxLength={6} value={code} onChange={(event) => { setCode(event.target.value); }} error={fields["code"]} />
      <Row><Button type="submit" look="main" busy={confirm.isPending}>Switch it on</Button></Row>
    </Form>
  );
}
