import { ProblemView } from "@/shared/components/problem-view";
import { PlanLines, planName, planPrice } from "@/shared/components/plans";
import { Block, Box, Button, ButtonAnchor, ButtonLink, Card, Grid, Heading, Main, Row, Section, Skeleton, Stack, State, Text, Title } from "@/shared/components/ui";
import { useDoor } from "@/shared/session/door";
import { useSession } from "@/shared/session/session";
import { usePlans } from "@/shared/workspaces/queries";

const points = [
  ["Up in seconds, and you see why", "Requested, committed, synced, starting, ready: each step with its time. When one stands still, a sentence says what it waits for."],
  ["Every object stands in Git", "Namespace, volume, network rules, pod: plain YAML in a commit that you can read. No change reaches the cluster without one."],
  ["Close the lid", "An unused workspace goes to sleep and keeps its files. One click wakes it; a forgotten tab never does."],
] as const;

const example = `commit 3f9c2ab
    create workspace (sign-up)

+ kind: PersistentVolumeClaim
+   storage: 1Gi
+ kind: StatefulSet
+   image: theia
+ kind: NetworkPolicy
+   ingress: [gateway]`;

export function Page() {
  const plans = usePlans();
  const inside = useSession(({ status }) => status === "in");
  const open = useDoor(({ set }) => set);
  const enter = inside
    ? <ButtonLink to="/dashboard" look="main" large>Your workspaces</ButtonLink>
    : <Button look="main" large onClick={() => { open(true); }}>Start free</Button>;
  return (
    <Main>
      <Grid gridTemplateColumns={{ base: "minmax(0, 1fr)", lg: "minmax(0, 1.25fr) minmax(0, 1fr)" }} gap={{ base: "8", lg: "16" }} alignItems="center" paddingBlock={{ base: "6", md: "14" }}>
        <Stack gap="5" alignItems="flex-start">
          <Title fontSize={{ base: "2xl", md: "4xl" }} letterSpacing="-0.025em" textWrap="balance">A workspace in the browser, described in Git from its first moment.</Title>
          <Text quiet fontSize="lg" maxWidth="52ch">An editor, a terminal and a volume of your own, started in seconds. What it is made of is a commit that anybody on your team can read.</Text>
          <Row flexWrap="wrap" gap="3">{enter}<ButtonAnchor href="#plans" large>See plans</ButtonAnchor></Row>
        </Stack>
        <Card padding="0" overflow="hidden">
          <Row justifyContent="space-between" padding="4" borderBottomWidth="1px" borderColor="border"><Heading as="p">default</Heading><State tone="good" icon="ready">Ready</State></Row>
          <Block tabIndex={0} role="figure" aria-label="A commit that creates a workspace" borderWidth="0" borderRadius="0">{example}</Block>
        </Card>
      </Grid>
      <Grid as="section" aria-label="What it does" gridTemplateColumns={{ base: "1fr", md: "repeat(3, minmax(0, 1fr))" }} gap="8" paddingBlock="8" borderTopWidth="1px" borderColor="border">
        {points.map(([title, text]) => <Stack key={title} gap="2"><Heading>{title}</Heading><Text quiet>{text}</Text></Stack>)}
      </Grid>
      <Section id="plans" aria-labelledby="plans-title" paddingBlock="8" borderTopWidth="1px" borderColor="border" scrollMarginTop="16">
        <Heading id="plans-title" fontSize="xl" marginBottom="5">Plans</Heading>
        {plans.isError && <ProblemView error={plans.error} again={() => { void plans.refetch(); }} />}
        <Grid gridTemplateColumns={{ base: "1fr", md: "repeat(3, minmax(0, 1fr))" }}>
          {plans.isPending && [0, 1, 2].map((at) => <Skeleton key={at} height="48" />)}
          {plans.data?.items.map((plan) => (
            <Card key={plan.name} aria-labelledby={`plan-${plan.name}`}>
              <Stack gap="3">
                <Box><Heading as="h3" id={`plan-${plan.name}`}>{planName(plan.name)}</Heading><Text fontSize="xl" fontWeight="semibold">{planPrice(plan)}</Text></Box>
                <PlanLines plan={plan} />
              </Stack>
            </Card>
          ))}
        </Grid>
      </Section>
    </Main>
  );
}
