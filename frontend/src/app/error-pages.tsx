import { useRouteError } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { Problem } from "@/shared/api/problem";
import { Button, ButtonLink, Main, Row, Stack, Text, Title } from "@/shared/components/ui";

export function NotFound() {
  return (
    <Main maxWidth="640px">
      <Stack gap="4">
        <Title>There is nothing at this address</Title>
        <Text quiet>It never was, is gone, or belongs to somebody else. Check the address, or start from your workspaces.</Text>
        <Row><ButtonLink to="/dashboard" look="main">Your workspaces</ButtonLink><ButtonLink to="/">Start page</ButtonLink></Row>
      </Stack>
    </Main>
  );
}

/** A page that failed: most often an older program asks for a file that a newer release no longer has. */
export function Crashed() {
  const error = useRouteError();
  return (
    <Main maxWidth="640px">
      <Stack gap="4">
        <Title>This page could not be shown</Title>
        <Text quiet>Something in the app failed, or a newer version has taken its place. Your workspaces run on; nothing of yours is lost.</Text>
        {error instanceof Problem && <ProblemView error={error} />}
        <Row><Button look="main" onClick={() => { location.reload(); }}>Load it again</Button><Button onClick={() => { location.assign("/"); }}>Start page</Button></Row>
      </Stack>
    </Main>
  );
}
