import type { UseInfiniteQueryResult, InfiniteData } from "@tanstack/react-query";
import type { Schemas } from "@/shared/api/client";
import { decided, tail } from "@/shared/tenants/words";
import { ProblemView } from "./problem-view";
import { Button, Item, Row, Skeleton, Span, Stack, Steps, Text, Time } from "./ui";

type Page = Schemas["AuditPage"];

/** What was decided, the newest first, older ones on demand. `name`: what a user is called, where that is known. */
export function Decisions({ query, none, name = (user) => `user ${tail(user)}` }: { query: UseInfiniteQueryResult<InfiniteData<Page>>; none: string; name?: (user: string) => string }) {
  if (query.isPending) return <Stack role="status" aria-busy="true" aria-label="Loading"><Skeleton width="70%" /><Skeleton width="50%" /><Skeleton width="60%" /></Stack>;
  if (query.isError && !query.data) return <ProblemView error={query.error} again={() => { void query.refetch(); }} />;
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Stack gap="3">
      {items.length === 0 && !query.hasNextPage && <Text quiet>{none}</Text>}
      <Steps aria-label="Decisions">
        {items.map((one, at) => (
          <Item key={`${one.at}-${at}`} display="flex" flexWrap="wrap" justifyContent="space-between" columnGap="4" borderTopWidth={at ? "1px" : 0} borderColor="border" paddingBlock="2">
            <Text fontSize="sm" minWidth="0" flex="1 1 16rem" overflowWrap="anywhere"><Span fontWeight="medium" title={one.actor ?? undefined}>{who(one, name)}</Span> {decided(one, name)}</Text>
            <Text small quiet><Time at={one.at} /></Text>
          </Item>
        ))}
      </Steps>
      {query.isFetchNextPageError && <ProblemView error={query.error} />}
      {query.hasNextPage && <Row><Button busy={query.isFetchingNextPage} onClick={() => { void query.fetchNextPage(); }}>Show older ones</Button></Row>}
    </Stack>
  );
}

/** Who decided: a member, somebody who is not one here, or the system. */
function who({ actor, actor_user: user }: Page["items"][number], name: (user: string) => string): string {
  if (user) return sentenceCase(name(user));
  return actor ? `Account ${tail(actor)}` : "The system";
}

const sentenceCase = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
