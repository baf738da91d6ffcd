import { useEffect, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { ButtonLink, Card, Main, Notice, Row, Skeleton, Stack, Text, Title } from "@/shared/components/ui";
import { begin, useSession } from "@/shared/session/session";
import { Answer } from "./answer";
import { codeIn, remember, remembered } from "./code";

/** Where an invitation's letter leads. Its code stands behind `#`, which no server sees; it waits in this tab while one signs in. */
export function Page() {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const given = codeIn(hash);
  const [code, setCode] = useState(() => given ?? remembered());
  if (given !== null && given !== code) setCode(given);
  const cut = hash !== "" && given === null;
  const status = useSession((session) => session.status);
  const [error, setError] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  // A code that somebody may look at over a shoulder need not stay in the address.
  useEffect(() => {
    if (given !== null && remember(given)) void navigate("/invitation", { replace: true });
  }, [given, navigate]);
  useEffect(() => { void begin(true).then(() => { setError(null); }, setError); }, [tries]);
  return (
    <Main maxWidth="560px" paddingBlock={{ base: "8", md: "14" }}>
      <Stack gap="5">
        <Title>Invitation</Title>
        {status === "unknown" && (error === null ? <Stack aria-busy="true"><Skeleton /><Skeleton width="60%" /></Stack> : <ProblemView error={error} again={() => { setTries(tries + 1); }} />)}
        {status === "out" && <Stranger cut={cut} />}
        {(status === "in" || status === "ended") && <Answer code={code} onCode={setCode} cut={cut} />}
      </Stack>
    </Main>
  );
}

/** Whoever is not signed in comes back here. */
function Stranger({ cut }: { cut: boolean }) {
  return (
    <Card>
      <Stack gap="4">
        {cut && <Notice tone="warn" role="alert"><Text>The link is not whole. Open it from the letter again, or copy all of it.</Text></Notice>}
        <Text>You are invited to work together with somebody. To answer, sign in with the address that the letter came to, or sign up with it.</Text>
        <Row flexWrap="wrap"><ButtonLink to="/login?to=/invitation" look="main">Sign in</ButtonLink><ButtonLink to="/register?to=/invitation">Sign up</ButtonLink></Row>
        <Text small quiet>The invitation waits here meanwhile. Signed up anew, it is on your dashboard once your address is verified.</Text>
      </Stack>
    </Card>
  );
}
