import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Box, Button, ButtonLink, Choice, Copyable, Field, Form, Heading, Item, List, Row, Skeleton, Span, Stack, State, Text, Time } from "@/shared/components/ui";
import { roles, tail } from "@/shared/tenants/words";
import { type Search, type SeenUser, WAYS, ownerOf, slugIn, users } from "./calls";

type Way = Exclude<Search["by"], "all">;

/** Everybody's users by ids, and finding one. What is searched for never stands in the page's address. */
export function Users() {
  const navigate = useNavigate();
  const [by, setBy] = useState<Way>("email");
  const [text, setText] = useState("");
  const [search, setSearch] = useState<Search>({ by: "all" });
  const query = useInfiniteQuery({
    queryKey: ["admin", "users", search.by, "text" in search ? search.text : ""],
    queryFn: ({ pageParam }) => users(search, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const find = useMutation({
    mutationFn: async () => {
      const wanted = text.trim();
      if (wanted === "") { setSearch({ by: "all" }); return; }
      if (by === "email" || by === "tenant") { setSearch({ by, text: wanted }); return; }
      const user = by === "user" ? wanted : await ownerOf(slugIn(wanted));
      if (user === null) throw new Problem(404, { title: "No workspace has that host name" });
      await navigate(`/admin/users/${encodeURIComponent(user)}`);
    },
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <Heading>Users</Heading>
      <Text quiet small>By ids alone. A name or an address is shown once you look at a person, and that is recorded.</Text>
      <Form noValidate role="search" onSubmit={(event) => { event.preventDefault(); find.mutate(); }}>
        <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", sm: "15rem minmax(0, 1fr)" }} gap="4">
          <Choice label="Find by" options={WAYS} value={by} onChange={(event) => { setBy(event.target.value as Way); }} />
          <Field label={WAYS.find(([one]) => one === by)?.[1] ?? ""} data-search type="search" autoComplete="off" maxLength={254} value={text} onChange={(event) => { setText(event.target.value); }} />
        </Box>
        <Row><Button type="submit" look="main" busy={find.isPending}>Find</Button>{search.by !== "all" && <Button onClick={() => { setText(""); setSearch({ by: "all" }); }}>Show all</Button>}</Row>
        {find.isError && <ProblemView error={find.error} />}
      </Form>
      {query.isPending && <Stack aria-busy="true"><Skeleton width="60%" /><Skeleton width="40%" /></Stack>}
      {query.isError && <ProblemView error={query.error} again={() => { void query.refetch(); }} />}
      {query.isSuccess && items.length === 0 && <Text quiet role="status">Nobody is found. An address has to be whole.</Text>}
      <List aria-label="Users">{items.map((one) => <Item key={one.user} borderTopWidth="1px" borderColor="border" paddingBlock="3"><UserRow one={one} /></Item>)}</List>
      {query.hasNextPage && <Row><Button busy={query.isFetchingNextPage} onClick={() => { void query.fetchNextPage(); }}>Show more</Button></Row>}
    </>
  );
}

function UserRow({ one }: { one: SeenUser }) {
  return (
    <Row justifyContent="space-between" gap="3" alignItems="flex-start">
      <Stack gap="0.5" minWidth="0">
        <Copyable text={one.user} what="user's id" />
        <Text small quiet>{roles[one.role].name} of <Span title={one.tenant}>{tail(one.tenant)}</Span> · account <Span title={one.account}>{tail(one.account)}</Span> · cell {one.cell} · joined <Time at={one.joined_at} /></Text>
        <Marks one={one} />
      </Stack>
      <ButtonLink to={`/admin/users/${one.user}`} aria-label={`Open user ${tail(one.user)}`}>Open</ButtonLink>
    </Row>
  );
}

export function Marks({ one }: { one: SeenUser }) {
  if (!one.held_at && !one.deletes_at) return null;
  return (
    <Row flexWrap="wrap" gap="3">
      {one.held_at && <State tone="bad" icon="failed">held <Time at={one.held_at} /></State>}
      {one.deletes_at && <State tone="warn" icon="leaving">deleted <Time at={one.deletes_at} /></State>}
    </Row>
  );
}
