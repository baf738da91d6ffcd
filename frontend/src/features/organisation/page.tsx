import { useState } from "react";
import { useParams } from "react-router";
import { Read } from "@/shared/components/later";
import { BarLink, Box, Button, Copyable, Main, Notice, Row, Span, Stack, Text, Title } from "@/shared/components/ui";
import { planName } from "@/shared/components/plans";
import { roles, tail } from "@/shared/tenants/words";
import { useMe } from "@/shared/workspaces/queries";
import { DecisionsPart } from "./decisions-part";
import { InvitationsPart } from "./invitations";
import { LeavePart } from "./leave";
import { MembersPart } from "./members";
import { RenameDialog } from "./rename-dialog";
import { manages } from "./rules";

const parts = [["members", "Members", MembersPart], ["invitations", "Invitations", InvitationsPart], ["decisions", "Decisions", DecisionsPart], ["leave", "Leave", LeavePart]] as const;
/** Parts that the API shows to owners and admins alone. */
const MANAGING: readonly string[] = ["invitations", "decisions"];

/** The organisation in which the person acts: who belongs to it, who is invited, what was decided, and the way out. */
export function Page() {
  const wanted = useParams()["part"] ?? "members";
  const me = useMe();
  const [renaming, setRenaming] = useState(false);
  const [name, , Part] = parts.find(([one]) => one === wanted) ?? parts[0];
  return (
    <Main>
      <Title marginBottom="2">Organisation</Title>
      <Read query={me} what="Your organisation.">
        {({ tenant }) => tenant
          ? (
            <>
              <Row flexWrap="wrap" marginBottom="1">
                {tenant.name && <Text fontWeight="600" overflowWrap="anywhere">{tenant.name}</Text>}
                {manages(tenant.role) && <Button look="quiet" onClick={() => { setRenaming(true); }}>{tenant.name ? "Rename" : "Give it a name"}</Button>}
              </Row>
              {renaming && <RenameDialog name={tenant.name ?? null} onClose={() => { setRenaming(false); }} />}
              <Row flexWrap="wrap" fontSize="sm" color="fg.muted" marginBottom="5" rowGap="0">
                <Copyable text={tenant.id} shown={tail(tenant.id)} what="organisation's id" />
                <Span>· {planName(tenant.plan)} plan · you are {roles[tenant.role].name.toLowerCase()}</Span>
              </Row>
              <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", md: "180px minmax(0, 1fr)" }} gap={{ base: "5", md: "10" }} alignItems="start">
                <Box as="nav" aria-label="Organisation" display="flex" flexDirection={{ base: "row", md: "column" }} flexWrap="wrap" gap="1">
                  {parts.map(([path, text]) => <BarLink key={path} to={`/organisation/${path}`} aria-current={path === name ? "page" : undefined}>{text}</BarLink>)}
                </Box>
                <Stack maxWidth="760px" gap="5">
                  {MANAGING.includes(name) && !manages(tenant.role)
                    ? <Notice tone="idle"><Text>Owners and admins see this. Ask one of them; the members' list says who they are.</Text></Notice>
                    : <Part role={tenant.role} />}
                </Stack>
              </Box>
            </>
          )
          : <Notice tone="warn" role="status"><Text>You belong to no organisation now. If you are in another one, switch to it above; if you were removed, an owner or an admin can restore you.</Text></Notice>}
      </Read>
    </Main>
  );
}
