import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "@/shared/api/problem";
import { type Member, type Role, changeRole, restoreMember } from "@/shared/api/tenants";
import { Read } from "@/shared/components/later";
import { Heading, Input, Item, List, Menu, type MenuEntry, Row, Select, Span, Stack, State, Text, Time, icons } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { count } from "@/shared/lib/format";
import { roles } from "@/shared/tenants/words";
import { HandOverDialog } from "./hand-over-dialog";
import { membersQuery, useMembers } from "./queries";
import { RemoveDialog } from "./remove-dialog";
import { gives, manages, may, stays } from "./rules";

/** From how many on a search helps. */
const MANY = 10;

export const called = (one: Member) => one.display_name ?? "Somebody";

/** Members first, then who is on the way out, then what was left behind. */
export function MembersPart({ role }: { role: Role }) {
  const query = useMembers();
  const [part, setPart] = useState("");
  return (
    <>
      <Heading>Members</Heading>
      {!manages(role) && <Text quiet small>Owners and admins invite, remove and change roles.</Text>}
      <Read query={query} what="The members.">
        {({ items, more }) => {
          const shown = items.filter((one) => `${called(one)} ${one.email ?? ""}`.toLowerCase().includes(part.trim().toLowerCase()));
          const [staying, leaving, left] = [shown.filter(stays), shown.filter((one) => one.deletes_at && !one.left_behind), shown.filter((one) => one.left_behind)];
          return (
            <Stack gap="5">
              {items.length >= MANY && <Input data-search type="search" aria-label="Find a member" placeholder="Find a member" value={part} onChange={(event) => { setPart(event.target.value); }} />}
              {shown.length === 0 && <Text quiet role="status">Nobody is called so.</Text>}
              <Rows of="Members" who={staying} all={items} role={role} />
              {leaving.length > 0 && <><Heading as="h3" fontSize="md">On their way out</Heading><Rows of="On their way out" who={leaving} all={items} role={role} /></>}
              {left.length > 0 && <><Heading as="h3" fontSize="md">Left behind</Heading><Text quiet small>Workspaces of people who left, and who has them now: they stand on that person's dashboard.</Text><Rows of="Left behind" who={left} all={items} role={role} /></>}
              {more && <Text quiet small>There are more; these are the first {count(items.length, "member")}.</Text>}
            </Stack>
          );
        }}
      </Read>
    </>
  );
}

function Rows({ of, who, all, role }: { of: string; who: Member[]; all: Member[]; role: Role }) {
  return <List aria-label={of}>{who.map((one) => <Item key={one.user} borderTopWidth="1px" borderColor="border" paddingBlock="3"><MemberRow one={one} all={all} role={role} /></Item>)}</List>;
}

function MemberRow({ one, all, role }: { one: Member; all: Member[]; role: Role }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState<"remove" | "hand-over" | null>(null);
  const again = () => client.invalidateQueries({ queryKey: membersQuery.queryKey });
  const failed = (error: unknown) => { say(asProblem(error).message, "bad"); };
  const give = useMutation({
    mutationFn: (to: Role) => changeRole(one.user, to),
    onSuccess: (after) => { say(`${called(after)} is ${roles[after.role].name.toLowerCase()} now.`); return Promise.all([again(), client.invalidateQueries({ queryKey: ["me"] })]); },
    onError: failed,
  });
  const restore = useMutation({ mutationFn: () => restoreMember(one.user), onSuccess: () => { say(`${called(one)} is restored. Their workspaces stay off until they are started.`); return again(); }, onError: failed });
  const can = may(role, one, all);
  const name = called(one);
  const entries: MenuEntry[] = [
    ...(can.restore ? [{ label: "Restore", act: () => { restore.mutate(); } }] : []),
    ...(can.handOver === true ? [{ label: "Hand workspaces over…", act: () => { setAsking("hand-over"); } }] : []),
    ...(can.remove === true ? [{ label: "Remove…", danger: true, act: () => { setAsking("remove"); } }] : []),
  ];
  return (
    <>
      <Row justifyContent="space-between" gap="3" alignItems="flex-start">
        <Stack gap="0.5" minWidth="0">
          <Row flexWrap="wrap" rowGap="0"><Span fontWeight="medium" overflowWrap="anywhere">{name}</Span>{one.you && <Span quiet fontSize="sm">you</Span>}</Row>
          {one.email && <Text small quiet overflowWrap="anywhere">{one.left_behind && "with "}{one.email}</Text>}
          <Standing one={one} />
          {manages(role) && !one.left_behind && !one.deletes_at && typeof can.role === "string" && <Text small quiet>{can.role}</Text>}
        </Stack>
        <Row gap="1.5" flexShrink={0}>
          {!one.left_behind && (can.role === true
            ? <Select aria-label={`Role of ${name}`} width="auto" minHeight="9" fontSize="sm" value={give.isPending ? give.variables : one.role} disabled={give.isPending} onChange={(event) => { give.mutate(event.target.value as Role); }}>
                {gives(role).map((to) => <option key={to} value={to}>{roles[to].name}</option>)}
              </Select>
            : <Span fontSize="sm" paddingInline="2" lineHeight="2.25rem" title={roles[one.role].may}>{roles[one.role].name}</Span>)}
          {entries.length > 0 && <Menu label={`More for ${name}`} look="quiet" square busy={restore.isPending} entries={entries}>{icons.more}</Menu>}
        </Row>
      </Row>
      {asking === "remove" && <RemoveDialog one={one} name={name} onClose={() => { setAsking(null); }} />}
      {asking === "hand-over" && <HandOverDialog one={one} name={name} all={all} onClose={() => { setAsking(null); }} />}
    </>
  );
}

/** Since when, until when, and who has it now. */
function Standing({ one }: { one: Member }) {
  return (
    <>
      {one.left_behind
        ? <Text small quiet>left behind <Time at={one.left_behind.since} />, {one.left_behind.organisation ? "kept for the organisation" : "handed to this member"}</Text>
        : <Text small quiet>joined <Time at={one.joined_at} /></Text>}
      {one.deletes_at && <State tone="warn" icon="leaving">deleted <Time at={one.deletes_at} />{one.asked && ", as they asked"}</State>}
    </>
  );
}
