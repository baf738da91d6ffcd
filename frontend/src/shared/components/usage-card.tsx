import { useQuery } from "@tanstack/react-query";
import { usage } from "@/shared/api/person";
import type { Workspace } from "@/shared/api/client";
import { bytes, number } from "@/shared/lib/format";
import { useMe } from "@/shared/workspaces/queries";
import { planName } from "./plans";
import { ProblemView } from "./problem-view";
import { ButtonLink, Card, Heading, Meter, Row, Skeleton, Span, Stack, Text, Time } from "./ui";

const GI = 2 ** 30;

/** This month against the plan's limits. What is not measured is said to be, not shown as nothing. */
export function UsageCard({ workspaces, plans = true }: { workspaces: readonly Workspace[]; plans?: boolean }) {
  const me = useMe();
  const used = useQuery({ queryKey: ["usage"], queryFn: usage, staleTime: 60_000 });
  const tenant = me.data?.tenant;
  const limits = tenant?.limits;
  const volume = (limits?.storage_gib ?? 0) * Math.max(1, workspaces.length);
  const measured = used.data ?? null;
  const storage = measured?.storage_bytes ?? null;
  return (
    <Card aria-labelledby="usage">
      <Stack gap="4">
        <Heading id="usage">This month</Heading>
        {me.isPending && <><Skeleton /><Skeleton /><Skeleton /></>}
        {me.isError && !me.data && <ProblemView error={me.error} again={() => { void me.refetch(); }} />}
        {limits && (
          <>
            <Meter counts label="Workspaces" used={workspaces.length} limit={limits.workspaces} text={`${workspaces.length} / ${limits.workspaces}`} />
            <Meter label="Hours" used={measured?.hours ?? null} limit={limits.hours_per_month} text={measured ? `${number(measured.hours)} / ${number(limits.hours_per_month)} h` : `${number(limits.hours_per_month)} h`} />
            <Meter label="Storage" used={storage === null ? null : storage / GI} limit={volume} text={storage === null ? `${number(volume)} Gi` : `${bytes(storage)} / ${number(volume)} Gi`} />
            <Meter label="LLM requests" used={measured?.llm_requests ?? null} limit={limits.llm_requests_per_month} text={measured ? `${number(measured.llm_requests)} / ${number(limits.llm_requests_per_month)}` : number(limits.llm_requests_per_month)} />
            {measured && <Text small quiet>Begins anew <Time at={measured.resets_at} />.</Text>}
            {used.isError && !measured && <Text small quiet>These are the limits. How much of them is used is not known now.</Text>}
          </>
        )}
        {tenant && <Row justifyContent="space-between"><Span fontSize="sm">{planName(tenant.plan)} plan</Span>{plans && <ButtonLink to="/billing">See plans</ButtonLink>}</Row>}
      </Stack>
    </Card>
  );
}
