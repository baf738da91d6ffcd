import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";
import { history, manifests } from "@/shared/api/workspace";
import type { Workspace } from "@/shared/api/client";
import { Diff } from "@/shared/components/diff";
import { Read } from "@/shared/components/later";
import { Button, ButtonLink, Card, Copyable, Empty, Fold, Heading, Item, List, Main, Row, Span, Stack, Summary, Text, Time, Title } from "@/shared/components/ui";
import { short } from "@/shared/lib/format";
import { unified } from "@/shared/lib/difference";
import { useLive } from "@/shared/workspaces/live";
import { useWorkspaces } from "@/shared/workspaces/queries";
import { explained } from "./explained";
import { YamlView } from "./yaml-view";

/** What Git holds for a workspace, readable by somebody who has never seen Kubernetes. */
export function Page() {
  const { id = "" } = useParams();
  const query = useWorkspaces();
  useLive();
  return (
    <Main>
      <Read query={query} what="Your workspaces.">
        {(all) => {
          const workspace = all.find((one) => one.id === id);
          return workspace ? <Manifests workspace={workspace} /> : <Empty heading="h1" title="There is no such workspace" text="It is gone, or belongs to somebody else." action={<ButtonLink to="/dashboard" look="main">Your workspaces</ButtonLink>} />;
        }}
      </Read>
    </Main>
  );
}

function Manifests({ workspace }: { workspace: Workspace }) {
  const [commit, setCommit] = useState<string | null>(null);
  const { commit: head, timeline } = workspace;
  // A newer commit is another answer.
  const changes = useQuery({ queryKey: ["history", workspace.id, head], queryFn: () => history(workspace.id) });
  const held = useQuery({ queryKey: ["manifests", workspace.id, commit ?? head], queryFn: () => manifests(workspace.id, commit) });
  return (
    <Stack gap="5">
      <Stack gap="1.5">
        <Title overflowWrap="anywhere">{workspace.name}</Title>
        <Row flexWrap="wrap" color="fg.muted" fontSize="sm">
          {head ? <><Span>commit</Span><Copyable text={head} shown={short(head)} what="commit" />{timeline.committed_at && <Time at={timeline.committed_at} />}</> : <Span>Its first commit is on its way.</Span>}
          {commit && <Button onClick={() => { setCommit(null); }}>Back to the newest</Button>}
        </Row>
      </Stack>
      <Card aria-labelledby="objects">
        <Stack>
          <Heading id="objects">Objects</Heading>
          <Text quiet small>What your workspace is made of. The cluster holds exactly this, and nothing that is not here.</Text>
          <Read query={held} what="Reading the manifests here.">
            {({ objects }) => <List display="grid" gap="2">{objects.map((one) => <Item key={`${one.kind}/${one.name}`}><YamlView title={`${one.kind} ${one.name}`} about={explained(one.kind)} yaml={one.yaml} id={`${one.kind}-${one.name}`} /></Item>)}</List>}
          </Read>
        </Stack>
      </Card>
      <Card aria-labelledby="history">
        <Stack>
          <Heading id="history">History</Heading>
          <Read query={changes} what="The history of its commits.">
            {({ items }) => items.length === 0
              ? <Text quiet>Nothing was committed yet.</Text>
              : <List display="grid" gap="4">
                  {items.map((one) => (
                    <Item key={one.commit} display="grid" gap="1.5">
                      <Row flexWrap="wrap"><Copyable text={one.commit} shown={short(one.commit)} what="commit" /><Span quiet fontSize="sm"><Time at={one.at} /></Span><Button onClick={() => { setCommit(one.commit); }}>Objects at this commit</Button></Row>
                      {one.sentences.map((text) => <Text key={text}>{text}</Text>)}
                      <Fold><Summary fontSize="sm" color="accent">Difference as YAML</Summary><Diff lines={unified(one.diff)} /></Fold>
                    </Item>
                  ))}
                </List>}
          </Read>
        </Stack>
      </Card>
    </Stack>
  );
}
