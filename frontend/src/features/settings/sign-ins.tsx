import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { connections, endSignIn, signIns } from "@/shared/api/person";
import { asProblem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { Button, Heading, Item, List, Row, Span, State, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { browserName } from "@/shared/lib/browser-name";

export function SignIns() {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ["sign-ins"], queryFn: signIns });
  const end = useMutation({ mutationFn: endSignIn, onSuccess: () => client.invalidateQueries({ queryKey: ["sign-ins"] }), onError: (error) => { say(asProblem(error).message, "bad"); } });
  return (
    <>
      <Heading>Sign-ins</Heading>
      <Text quiet small>A login lasts a day without use and 30 days at most. Changing the password ends all others.</Text>
      <Read query={query} what="The list of your logins.">
        {({ items }) => (
          <List display="grid" gap="3">
            {items.map((one) => (
              <Item key={one.id}>
                <Row justifyContent="space-between">
                  <Span><Text title={one.agent}>{browserName(one.agent)}</Text><Text quiet small>since <Time at={one.began_at} />, used <Time at={one.used_at} /></Text></Span>
                  {one.present ? <State tone="good" icon="ready">this one</State> : <Button aria-label={`End ${browserName(one.agent)}`} busy={end.isPending && end.variables === one.id} onClick={() => { end.mutate(one.id); }}>End</Button>}
                </Row>
              </Item>
            ))}
          </List>
        )}
      </Read>
    </>
  );
}

const names: Record<string, string> = { google: "Google", github: "GitHub" };

export function Connections() {
  const query = useQuery({ queryKey: ["connections"], queryFn: connections });
  return (
    <>
      <Heading>Connections</Heading>
      <Text quiet small>Providers with which you can sign in.</Text>
      <Read query={query} what="Signing in with Google or GitHub.">
        {({ items }) => (
          <List display="grid" gap="3">
            {items.map(({ provider, connected_at: at }) => <Item key={provider}><Row justifyContent="space-between"><Span>{names[provider] ?? provider}</Span>{at ? <Span quiet>connected <Time at={at} /></Span> : <Span quiet>not connected</Span>}</Row></Item>)}
          </List>
        )}
      </Read>
    </>
  );
}
