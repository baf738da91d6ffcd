import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { apiKeys, makeApiKey, revokeApiKey } from "@/shared/api/awaited";
import { asProblem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Copyable, Field, Form, Heading, Item, List, Notice, Row, Span, Text, Time } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";

export function ApiKeys() {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const query = useQuery({ queryKey: ["api-keys"], queryFn: apiKeys });
  const again = () => client.invalidateQueries({ queryKey: ["api-keys"] });
  const make = useMutation({ mutationFn: () => makeApiKey(name), onSuccess: () => { setName(""); return again(); } });
  const revoke = useMutation({ mutationFn: revokeApiKey, onSuccess: again, onError: (error) => { say(asProblem(error).message, "bad"); } });
  return (
    <>
      <Heading>API keys</Heading>
      <Text quiet small>For programs that call the API for you.</Text>
      <Read query={query} what="Keys for programs.">
        {({ items }) => (
          <>
            {make.data?.secret && <Notice tone="good"><Text>Copy it now; it is not shown again.</Text><Copyable text={make.data.secret} what="key" /></Notice>}
            {items.length === 0
              ? <Text quiet>You have no key yet.</Text>
              : <List display="grid" gap="3">{items.map((key) => <Item key={key.id}><Row justifyContent="space-between"><Span>{key.name} <Span quiet fontSize="sm">{key.used_at ? <>used <Time at={key.used_at} /></> : "never used"}</Span></Span><Button onClick={() => { revoke.mutate(key.id); }}>Revoke</Button></Row></Item>)}</List>}
            <Form onSubmit={(event) => { event.preventDefault(); make.mutate(); }}>
              {make.isError && <ProblemView error={make.error} />}
              <Field label="Name of a new key" maxLength={64} value={name} onChange={(event) => { setName(event.target.value); }} />
              <Row><Button type="submit" busy={make.isPending}>Make a key</Button></Row>
            </Form>
          </>
        )}
      </Read>
    </>
  );
}
