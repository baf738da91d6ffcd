import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Card, Commands, Copyable, Dialog, Empty, Fold, Heading, Item, List, Mono, Notice, Row, Span, Stack, State, Subheading, Summary, Text, Time, icons } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { ApiKeyForm } from "./api-key-form";
import { type ApiKey, apiKeys, example, inWords, login, revokeApiKey } from "./keys";

/** Keys with which programs call the API in the person's place, in the organisation where the person is now. */
export function ApiKeys() {
  const query = useQuery({ queryKey: ["api-keys"], queryFn: apiKeys });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<ApiKey | null>(null);
  const [leaving, setLeaving] = useState<ApiKey | null>(null);
  const begin = <Button look="main" onClick={() => { setMaking(true); }}>{icons.plus}New key</Button>;
  return (
    <>
      <Row justifyContent="space-between" flexWrap="wrap"><Heading>API keys</Heading>{!making && !made && (query.data?.length ?? 0) > 0 && begin}</Row>
      <Text quiet small>For programs that call the API for you. Each acts in the organisation in which you made it.</Text>
      {made && <Made made={made} onKept={() => { setMade(null); }} />}
      {making && <Card aria-labelledby="new-key"><Subheading id="new-key" marginBottom="4">New key</Subheading><ApiKeyForm onMade={(key) => { setMaking(false); setMade(key); }} onBack={() => { setMaking(false); }} /></Card>}
      <Read query={query} what="Keys for programs.">
        {(items) => items.length === 0
          ? !making && !made && <Empty title="No key yet" text="A script, a build or the command line signs in with a key that you can see here, and revoke at any time." action={begin} />
          : (
            <List display="grid" gap="3" aria-label="Your keys">
              {items.map((key) => (
                <Item key={key.id} borderTopWidth="1px" borderColor="border" paddingTop="3">
                  <Row justifyContent="space-between" alignItems="flex-start" gap="3">
                    <Stack gap="0.5" minWidth="0">
                      <Row flexWrap="wrap" rowGap="0"><Span fontWeight="medium" overflowWrap="anywhere">{key.name}</Span><Mono color="fg.muted">{key.prefix}…</Mono></Row>
                      <Text small quiet>{inWords(key.scopes)}</Text>
                      <Text small quiet>{key.used_at ? <>used <Time at={key.used_at} /></> : "never used"} · made <Time at={key.created_at} /> · {key.expires_at ? <>ends <Time at={key.expires_at} /></> : "does not end by itself"}</Text>
                    </Stack>
                    <Button aria-label={`Revoke ${key.name}`} onClick={() => { setLeaving(key); }}>Revoke</Button>
                  </Row>
                </Item>
              ))}
            </List>
          )}
      </Read>
      {!made && <Fold open={query.data?.length === 0}><Summary fontSize="sm">How programs use a key</Summary><Usage /></Fold>}
      {leaving && <Revoke leaving={leaving} onClose={() => { setLeaving(null); }} />}
    </>
  );
}

/** The one time that a key is shown. */
function Made({ made, onKept }: { made: ApiKey; onKept: () => void }) {
  return (
    <Card aria-labelledby="made-key">
      <Stack gap="4">
        <Row justifyContent="space-between" flexWrap="wrap"><Subheading id="made-key">{made.name}</Subheading><State tone="good" icon="done">made</State></Row>
        <Notice tone="good" role="status"><Text>Copy the key now; it is not shown again.</Text><Copyable text={made.secret ?? ""} what="key" /></Notice>
        <Usage />
        <Row><Button look="main" onClick={onKept}>I have kept it</Button></Row>
      </Stack>
    </Card>
  );
}

function Usage() {
  return (
    <Stack gap="3" paddingTop="2">
      <Text small>The command line asks for the key and keeps it in a file of yours:</Text>
      <Commands text={login(location.origin)} what="command to sign in" />
      <Text small>Any other program sends it with each request:</Text>
      <Commands text={example(location.origin)} what="example with curl" />
    </Stack>
  );
}

function Revoke({ leaving, onClose }: { leaving: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: revokeApiKey,
    onSuccess: () => { say(`${leaving.name} is revoked.`); onClose(); return client.invalidateQueries({ queryKey: ["api-keys"] }); },
  });
  return (
    <Dialog title={`Revoke ${leaving.name}`} open onClose={onClose}>
      <Stack gap="4">
        {revoke.isError && <ProblemView error={revoke.error} />}
        <Text small>Whatever uses <Mono>{leaving.prefix}…</Mono> is refused from its next request on. This cannot be undone; a new key can be made.</Text>
        <Button look="danger" busy={revoke.isPending} onClick={() => { revoke.mutate(leaving.id); }}>Revoke it</Button>
      </Stack>
    </Dialog>
  );
}
