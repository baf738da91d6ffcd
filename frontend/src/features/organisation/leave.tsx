import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { leaveTenant } from "@/shared/api/tenants";
import { Read } from "@/shared/components/later";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Heading, Item, Link, List, Notice, Row, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { renewedToken, useSession } from "@/shared/session/session";
import { useMembers } from "./queries";
import { stays } from "./rules";

export function LeavePart() {
  const query = useMembers();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Heading>Leave</Heading>
      <List display="grid" gap="1" fontSize="sm">
        <Item>Your workspaces here stop at once, and your keys for this organisation end.</Item>
        <Item>Workspaces with their files are deleted when the grace period ends, unless they are handed over.</Item>
        <Item>An owner or an admin can restore you until then. Your account and other organisations stay.</Item>
      </List>
      <Read query={query} what="The members.">
        {({ items }) => {
          const owners = items.filter((one) => one.role === "owner" && stays(one));
          const last = owners.length === 1 && owners[0]?.you === true;
          return last
            ? <Notice tone="idle"><Text>You are the only owner. Make <Link to="/organisation/members">another member</Link> one first; or <Link to="/settings/account">erase your account</Link>, and what is here with it.</Text></Notice>
            : <Row><Button look="danger" onClick={() => { setAsking(true); }}>Leave…</Button></Row>;
        }}
      </Read>
      {asking && <LeaveDialog onClose={() => { setAsking(false); }} />}
    </>
  );
}

function LeaveDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: async () => {
      await leaveTenant();
      // The next token acts in another of the person's organisations, if there is one.
      const token = useSession.getState().token;
      if (token) await renewedToken(token.value).catch(() => null);
    },
    onSuccess: async () => { await navigate("/dashboard"); say("You have left."); await client.resetQueries(); },
  });
  return (
    <Dialog title="Leave this organisation" open onClose={onClose}>
      <Stack gap="4">
        {leave.isError && <ProblemView error={leave.error} />}
        <Text small>Take with you what you need of your workspaces before: once you have left you cannot open them.</Text>
        <Button look="danger" busy={leave.isPending} onClick={() => { leave.mutate(); }}>Leave now</Button>
      </Stack>
    </Dialog>
  );
}
