import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { endSignIn, signIns } from "@/shared/api/person";
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
