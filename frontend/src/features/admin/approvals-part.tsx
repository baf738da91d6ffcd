import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "@/shared/api/client";
import { ProblemView } from "@/shared/components/problem-view";
import { Copyable, Heading, Item, Link, List, Row, Skeleton, Span, Stack, State, Text, Time } from "@/shared/components/ui";
import { sentence } from "@/shared/lib/format";
import { tenantName } from "@/shared/tenants/words";
import { approvals } from "@/shared/workspaces/words";
import { waiting } from "./calls";

type Change = Schemas["SeenApproval"];

/** What waits for people's approval, and what they said lately. They decide in the policy's repository, not here. */
export function Approvals() {
  const query = useQuery({ queryKey: ["admin", "approvals"], queryFn: waiting });
  return (
    <>
      <Heading>Approvals</Heading>
      <Text quiet small>Changes that the policy asks people about, those that wait first. They are decided in the policy's repository: merged is approved, a closed request or a removed branch is declined.</Text>
      {query.isPending && <Stack aria-busy="true"><Skeleton width="60%" /><Skeleton width="40%" /></Stack>}
      {query.isError && <ProblemView error={query.error} again={() => { void query.refetch(); }} />}
      {query.isSuccess && query.data.length === 0 && <Text quiet role="status">Nothing waits, and nothing was decided in the last 30 days.</Text>}
      <List aria-label="Approvals">{query.data?.map((one) => <Item key={one.change} borderTopWidth="1px" borderColor="border" paddingBlock="3"><ChangeRow one={one} /></Item>)}</List>
    </>
  );
}

function ChangeRow({ one }: { one: Change }) {
  const { word, tone, icon } = approvals[one.state];
  const reasons = [...new Set(one.users.flatMap(({ reasons }) => reasons))];
  const who = one.users.length === 1 ? "1 user" : `${one.users.length} users`;
  return (
    <Stack gap="1">
      <Row justifyContent="space-between" gap="3" flexWrap="wrap">
        <State tone={tone} icon={icon}>{word}</State>
        <Text small quiet><Time at={one.changed_at} /></Text>
      </Row>
      {reasons.map((reason) => <Text key={reason} fontSize="sm" overflowWrap="anywhere">{sentence(reason)}</Text>)}
      <Text small quiet>{who} of {tenantName({ tenant: one.tenant })} in cell {one.cell}</Text>
      {one.url && /^https?:/.test(one.url)
        ? <Text small><Link to={one.url} rel="noreferrer">Look at the request</Link></Text>
        : one.branch && <Row fontSize="sm" gap="1.5"><Span quiet>Branch</Span><Copyable text={one.branch} what="branch" /></Row>}
    </Stack>
  );
}
