import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { invoices } from "@/shared/api/awaited";
import { type Plan, api, unwrap } from "@/shared/api/client";
import { asProblem } from "@/shared/api/problem";
import { Read } from "@/shared/components/later";
import { PlanLines, planName, planPrice } from "@/shared/components/plans";
import { ProblemView } from "@/shared/components/problem-view";
import { UsageCard } from "@/shared/components/usage-card";
import { Anchor, Box, Button, Card, Grid, Heading, Item, List, Main, Notice, Row, Span, Stack, State, Text, Time, Title } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { clock, price } from "@/shared/lib/format";
import { useMe, usePlans, useWorkspaces } from "@/shared/workspaces/queries";

export function Page() {
  const plans = usePlans();
  const me = useMe();
  const workspaces = useWorkspaces();
  const client = useQueryClient();
  const bills = useQuery({ queryKey: ["invoices"], queryFn: invoices });
  const tenant = me.data?.tenant;
  const choose = useMutation({
    mutationFn: async (plan: string) => unwrap(await api.PUT("/api/v5/tenant/plan", { body: { plan } })),
    onSuccess: (after) => { say(`You have the ${planName(after.plan)} plan now.`); return client.invalidateQueries({ queryKey: ["me"] }); },
  });
  const problem = choose.error ? asProblem(choose.error) : null;
  return (
    <Main>
      <Title marginBottom="5">Billing</Title>
      <Grid gridTemplateColumns={{ base: "minmax(0, 1fr)", lg: "minmax(0, 1fr) 320px" }} gap="5" alignItems="start">
        <Stack gap="5">
          {problem?.slug === "billing-required"
            ? <Notice tone="warn" role="alert">This plan has to be paid for, and paying is not available here yet. Your plan stays as it is.</Notice>
            : choose.isError && <ProblemView error={choose.error} />}
          <Read query={plans} what="Plans.">
            {({ items }) => (
              <Grid gridTemplateColumns={{ base: "minmax(0, 1fr)", md: "repeat(3, minmax(0, 1fr))" }}>
                {items.map((plan) => <PlanCard key={plan.name} plan={plan} present={tenant?.plan === plan.name} allowed={tenant?.role === "owner" || tenant?.role === "admin"} busy={choose.isPending && choose.variables === plan.name} onChoose={() => { choose.mutate(plan.name); }} />)}
              </Grid>
            )}
          </Read>
          <Card aria-labelledby="invoices">
            <Heading id="invoices" marginBottom="3">Invoices</Heading>
            <Read query={bills} what="Invoices and payment.">
              {({ items }) => items.length === 0
                ? <Text quiet>There is no invoice yet. The first one comes with a paid plan.</Text>
                : <List display="grid" gap="2">{items.map((one) => <Item key={one.id}><Grid gridTemplateColumns="minmax(0, 1fr) 5rem 4rem auto" gap="3"><Span><Time at={one.at} /></Span><Span textAlign="end" fontVariantNumeric="tabular-nums">{price(one.cents)}</Span><Span quiet>{one.status}</Span><Anchor href={one.url} target="_blank" rel="noreferrer" aria-label={`Open the invoice of ${price(one.cents)}, ${clock(one.at)}`}>Open</Anchor></Grid></Item>)}</List>}
            </Read>
          </Card>
        </Stack>
        <UsageCard workspaces={workspaces.data ?? []} plans={false} />
      </Grid>
    </Main>
  );
}

function PlanCard({ plan, present, allowed, busy, onChoose }: { plan: Plan; present: boolean; allowed: boolean; busy: boolean; onChoose: () => void }) {
  const name = planName(plan.name);
  return (
    <Card aria-labelledby={`plan-${plan.name}`} {...(present ? { borderColor: "accent" } : {})}>
      <Stack gap="3" height="100%">
        <Box><Heading id={`plan-${plan.name}`}>{name}</Heading><Text fontSize="lg" fontWeight="semibold">{planPrice(plan)}</Text></Box>
        <PlanLines plan={plan} />
        <Row marginTop="auto">{present ? <State tone="accent" icon="done">Your plan</State> : allowed ? <Button aria-label={`Choose ${name}`} busy={busy} onClick={onChoose}>Choose</Button> : <Text quiet small>An owner can choose it.</Text>}</Row>
      </Stack>
    </Card>
  );
}
