import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { connect, connections, disconnect, providers } from "@/shared/api/person";
import { Problem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Field, Heading, Item, List, Row, Span, Text, Time } from "@/shared/components/ui";

/** Providers with which one can sign in. To add one, the password is asked: whoever adds a way in keeps it. */
export function Connections() {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ["connections"], queryFn: connections });
  const offered = useQuery({ queryKey: ["providers"], queryFn: providers, staleTime: Infinity });
  const [password, setPassword] = useState("");
  const add = useMutation({ mutationFn: (provider: string) => connect(provider, password), onSuccess: (url) => { location.assign(url); } });
  const remove = useMutation({ mutationFn: disconnect, onSuccess: () => client.invalidateQueries({ queryKey: ["connections"] }) });
  const wrong = add.error instanceof Problem ? add.error.fields["password"] : undefined;
  const failed = remove.error ?? (wrong === undefined ? add.error : null);
  return (
    <>
      <Heading>Connections</Heading>
      <Text quiet small>Providers with which you can sign in.</Text>
      {failed !== null && <ProblemView error={failed} />}
      <Read query={query} what="Signing in with Google or GitHub.">
        {({ items }) => {
          const linked = items.filter((one) => one.connected_at);
          const more = (offered.data ?? []).filter(({ provider }) => !linked.some((one) => one.provider === provider));
          const title = (provider: string) => offered.data?.find((one) => one.provider === provider)?.title ?? provider;
          return (
            <>
              {linked.length + more.length === 0 && <Text quiet>None is switched on here.</Text>}
              <List display="grid" gap="3">
                {linked.map(({ provider, connected_at: at }) => (
                  <Item key={provider}>
                    <Row justifyContent="space-between">
                      <Span>{title(provider)}</Span>
                      <Row gap="3"><Span quiet>connected <Time at={at} /></Span><Button aria-label={`Disconnect ${title(provider)}`} busy={remove.isPending && remove.variables === provider} onClick={() => { remove.mutate(provider); }}>Disconnect</Button></Row>
                    </Row>
                  </Item>
                ))}
                {more.map(({ provider }) => (
                  <Item key={provider}>
                    <Row justifyContent="space-between">
                      <Span>{title(provider)}</Span>
                      <Button aria-label={`Connect ${title(provider)}`} busy={add.isPending && add.variables === provider} onClick={() => { add.mutate(provider); }}>Connect</Button>
                    </Row>
                  </Item>
                ))}
              </List>
              {more.length > 0 && <Field label="Password" type="password" autoComplete="current-password" maxLength={128} hint="To connect one. Leave it empty if your account has none." value={password} onChange={(event) => { setPassword(event.target.value); }} error={wrong} />}
            </>
          );
        }}
      </Read>
    </>
  );
}
