import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Decisions } from "@/shared/components/decisions";
import { Button, Field, Form, Heading, Row, Text } from "@/shared/components/ui";
import { tenantName } from "@/shared/tenants/words";
import { decisions } from "./calls";

/** What administrators did, or what was decided in one organisation. */
export function AdminDecisions() {
  const [typed, setTyped] = useState("");
  const [tenant, setTenant] = useState("");
  const query = useInfiniteQuery({ queryKey: ["admin", "decisions", tenant], queryFn: ({ pageParam }) => decisions(tenant, pageParam), initialPageParam: null as string | null, getNextPageParam: (page) => page.next_cursor ?? null });
  return (
    <>
      <Heading>Decisions</Heading>
      <Text quiet small>{tenant ? `What was decided in ${tenantName({ tenant })}.` : "What administrators of this installation did."} The newest first, by ids alone.</Text>
      <Form noValidate role="search" onSubmit={(event) => { event.preventDefault(); setTenant(typed.trim()); }}>
        <Field label="Organisation's id" hint="Empty: what administrators did." data-search type="search" autoComplete="off" maxLength={36} value={typed} onChange={(event) => { setTyped(event.target.value); }} />
        <Row><Button type="submit">Show</Button></Row>
      </Form>
      <Decisions query={query} none="Nothing was decided here yet." />
    </>
  );
}
