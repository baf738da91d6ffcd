import { useCallback, useEffect, useState } from "react";
import { Link as RouterLink, useNavigate, useParams } from "react-router";
import { Logo } from "@/shared/components/logo";
import { OfflineBar } from "@/shared/components/offline-bar";
import { ProblemView } from "@/shared/components/problem-view";
import { SkipLink } from "@/shared/components/skip-link";
import { ThemeButton } from "@/shared/components/theme-button";
import { UserMenu } from "@/shared/components/user-menu";
import { Box, Button, ButtonLink, Empty, Key, Notice, Row, Skeleton, Unseen } from "@/shared/components/ui";
import { useLive } from "@/shared/workspaces/live";
import { useWorkspaces } from "@/shared/workspaces/queries";
import { Asleep } from "./asleep";
import type { Entry } from "./entry";
import { IdeFrame } from "./ide-frame";
import { SidePanel } from "./side-panel";
import { StatusBar } from "./status-bar";
import { TabBar } from "./tab-bar";
import { useTabs } from "./use-tabs";

const SHOWN = "coditect.way-out-shown";

export function Page() {
  const { id } = useParams();
  const navigate = useNavigate();
  const query = useWorkspaces();
  const all = query.data;
  const present = all?.find((one) => one.id === id);
  const tabs = useTabs(id, all);
  const [entries, setEntries] = useState<Record<string, Entry>>({});
  const [wayOut, setWayOut] = useState(() => localStorage.getItem(SHOWN) === null);
  useLive();

  // Without a name in the address: the one that runs, or the first.
  const first = all && !id ? (all.find(({ phase }) => phase === "ready") ?? all[0]) : undefined;
  useEffect(() => { if (first) void navigate(`/ide/${first.id}`, { replace: true }); }, [first, navigate]);

  const leave = useCallback(() => { document.getElementById(`tab-${id ?? ""}`)?.focus(); }, [id]);
  const close = (one: string) => {
    const next = tabs.close(one);
    if (one === id) void navigate(next ? `/ide/${next}` : "/dashboard");
  };
  const frames = tabs.live.map((one) => all?.find((workspace) => workspace.id === one)).filter((one) => one !== undefined);
  return (
    <Box height="100dvh" display="grid" gridTemplateColumns="minmax(0, 1fr)" gridTemplateRows="auto auto auto minmax(0, 1fr) auto">
      <SkipLink>Skip to the editor</SkipLink>
      <Row as="header" borderBottomWidth="1px" borderColor="border" paddingInline="3" minHeight="12" justifyContent="space-between" gap="3">
        <Row minWidth="0" gap="3">
          <RouterLink to="/dashboard" aria-label="Coditect, dashboard"><Logo small /></RouterLink>
          <TabBar open={tabs.open} others={(all ?? []).filter((one) => !tabs.open.includes(one))} present={id} onClose={close} />
        </Row>
        <Row gap="1"><ThemeButton /><UserMenu /></Row>
      </Row>
      <Box><OfflineBar /></Box>
      <Box as="section" aria-label="About the editor">
        {wayOut && present && (
          <Notice tone="accent" action={<Button minHeight="7" onClick={() => { localStorage.setItem(SHOWN, "1"); setWayOut(false); }}>Understood</Button>}>
            The editor takes the keyboard. <Key>Esc</Key> <Key>Esc</Key> brings you back to the tabs above; your browser's own key for that is <Key>F6</Key>.
          </Notice>
        )}
        <Box display={{ base: "block", md: "none" }}><Notice tone="idle">The editor needs a wider screen. Everything else works here.</Notice></Box>
      </Box>
      <Box as="main" id="main" tabIndex={-1} outline="none" display="flex" minHeight="0">
        <Unseen as="h1">{present ? `Editor of ${present.name}` : "Editor"}</Unseen>
        {present && <Box display={{ base: "none", md: "flex" }} minHeight="0"><SidePanel workspace={present} /></Box>}
        <Box position="relative" flex="1" minWidth="0">
          {query.isPending && <Skeleton height="100%" aria-busy="true" />}
          {query.isError && !all && <Box padding="6"><ProblemView error={query.error} again={() => { void query.refetch(); }} /></Box>}
          {all && !present && !first && <Box padding="6"><Empty title={all.length ? "There is no such workspace" : "No workspace yet"} text={all.length ? "It is gone, or belongs to somebody else." : "Make one on the dashboard; it takes some seconds."} action={<ButtonLink to="/dashboard" look="main">Dashboard</ButtonLink>} /></Box>}
          {frames.map((one) => {
            const runs = one.phase === "ready" && one.power.wanted === "on" && one.url;
            if (!runs) return one.id === id ? <Asleep key={`${one.id}-asleep`} workspace={one} /> : null;
            return <IdeFrame key={one.id} workspace={one.id} name={one.name} origin={new URL(one.url ?? "").origin} shown={one.id === id} onLeave={leave} onEntry={(entry) => { setEntries((known) => (known[one.id] === entry ? known : { ...known, [one.id]: entry })); }} />;
          })}
        </Box>
      </Box>
      {present ? <StatusBar workspace={present} entry={entries[present.id] ?? null} /> : <Box />}
    </Box>
  );
}
