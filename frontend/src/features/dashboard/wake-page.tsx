import { useParams } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { ButtonLink, Empty, Main, Skeleton } from "@/shared/components/ui";
import { useLive } from "@/shared/workspaces/live";
import { useWorkspaces } from "@/shared/workspaces/queries";
import { WorkspaceCard } from "./workspace-card";

/** Where a sleeping workspace's own address leads. Looking wakes nothing; the button does. */
export function Page() {
  const { slug } = useParams();
  const query = useWorkspaces();
  const workspace = query.data?.find((one) => one.slug === slug);
  useLive();
  return (
    <Main maxWidth="760px">
      {query.isPending && <Skeleton height="44" />}
      {query.isError && !query.data && <ProblemView error={query.error} again={() => { void query.refetch(); }} />}
      {workspace && <WorkspaceCard workspace={workspace} heading="h1" />}
      {query.data && !workspace && <Empty heading="h1" title="You have no workspace of this address" text="It is gone, or belongs to somebody else." action={<ButtonLink to="/dashboard" look="main">Your workspaces</ButtonLink>} />}
    </Main>
  );
}
