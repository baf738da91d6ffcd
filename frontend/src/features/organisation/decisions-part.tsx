import { useInfiniteQuery } from "@tanstack/react-query";
import { decisions } from "@/shared/api/tenants";
import { Decisions } from "@/shared/components/decisions";
import { Heading, Text } from "@/shared/components/ui";
import { tail } from "@/shared/tenants/words";
import { useMembers } from "./queries";

/** What was decided here, and by whom. The record holds ids; names are those of today's members. */
export function DecisionsPart() {
  const all = useMembers().data?.items ?? [];
  const query = useInfiniteQuery({ queryKey: ["decisions"], queryFn: ({ pageParam }) => decisions(pageParam), initialPageParam: null as string | null, getNextPageParam: (page) => page.next_cursor ?? null });
  const name = (user: string) => all.find((one) => one.user === user)?.display_name ?? `user ${tail(user)}`;
  return (
    <>
      <Heading>Decisions</Heading>
      <Text quiet small>What members, administrators of this installation and the system itself decided here, the newest first. The record outlives the people in it, so it holds ids alone.</Text>
      <Decisions query={query} none="Nothing was decided here yet." name={name} />
    </>
  );
}
