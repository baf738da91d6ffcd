import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useParams } from "react-router";
import { Problem } from "@/shared/api/problem";
import { BarLink, Box, ButtonLink, Main, Notice, Skeleton, Stack, Text, Title } from "@/shared/components/ui";
import { noteAdministers } from "@/shared/session/administers";
import { users } from "./calls";
import { Approvals } from "./approvals-part";
import { AdminDecisions } from "./decisions-part";
import { OneUser } from "./one-user";
import { Users } from "./users";

/** For administrators of the installation; who is one, the API alone knows. Ids first: a person is shown when looked at. */
export function Page() {
  const { part = "users", id } = useParams();
  const first = useInfiniteQuery({ queryKey: ["admin", "users", "all", ""], queryFn: ({ pageParam }) => users({ by: "all" }, pageParam), initialPageParam: null as string | null, getNextPageParam: (page) => page.next_cursor ?? null });
  const refused = first.error instanceof Problem && first.error.status === 403;
  const let_in = first.isSuccess;
  useEffect(() => { if (let_in || refused) noteAdministers(let_in); }, [let_in, refused]);
  return (
    <Main>
      <Title marginBottom="5">Administration</Title>
      {first.isPending && <Stack aria-busy="true"><Skeleton width="60%" /><Skeleton width="40%" /></Stack>}
      {refused
        ? <Notice tone="idle" action={<ButtonLink to="/dashboard">Your workspaces</ButtonLink>}><Text>Only administrators of this installation get in here. Whoever runs it says who is one.</Text></Notice>
        : !first.isPending && (
          <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", md: "180px minmax(0, 1fr)" }} gap={{ base: "5", md: "10" }} alignItems="start">
            <Box as="nav" aria-label="Administration" display="flex" flexDirection={{ base: "row", md: "column" }} flexWrap="wrap" gap="1">
              <BarLink to="/admin" aria-current={part === "users" ? "page" : undefined}>Users</BarLink>
              <BarLink to="/admin/approvals" aria-current={part === "approvals" ? "page" : undefined}>Approvals</BarLink>
              <BarLink to="/admin/decisions" aria-current={part === "decisions" ? "page" : undefined}>Decisions</BarLink>
            </Box>
            <Stack gap="5" maxWidth="900px">{part === "decisions" ? <AdminDecisions /> : part === "approvals" ? <Approvals /> : id ? <OneUser key={id} id={id} /> : <Users />}</Stack>
          </Box>
        )}
    </Main>
  );
}
