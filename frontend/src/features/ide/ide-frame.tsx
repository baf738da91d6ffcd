import { type ReactNode, useEffect, useRef, useState } from "react";
import { ProblemView } from "@/shared/components/problem-view";
import { Box, Button, Frame, Heading, Row, Stack, Text } from "@/shared/components/ui";
import { openAlone } from "@/shared/workspaces/own-tab";
import type { Entry } from "./entry";
import { useEntry } from "./use-entry";

// Everything that an editor needs, and never the navigation of the page around it. Same origin: its own, not ours.
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-downloads allow-pointer-lock";
const allowed = (origin: string) => ["clipboard-read", "clipboard-write", "fullscreen", "keyboard-map"].map((feature) => `${feature} ${origin}`).join("; ");

/** How long to wait after a renewal has failed, in milliseconds. */
const AFTER_FAILURE = 30_000;

interface Props {
  workspace: string;
  name: string;
  origin: string;
  shown: boolean;
  onLeave: () => void;
  onEntry: (entry: Entry) => void;
}

/** The editor of one workspace. Stays alive while another one is looked at. */
export function IdeFrame({ workspace, name, origin, shown, onLeave, onEntry }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  const { entry, again } = useEntry({ workspace, origin, frame, renew: false, onLeave });
  const [renewing, setRenewing] = useState(false);
  const [renewedUntil, setRenewedUntil] = useState(0);
  const door = `${origin}/coditect/enter`;
  useEffect(() => { onEntry(entry); }, [entry, onEntry]);
  useEffect(() => { if (shown && entry.state === "in") frame.current?.focus(); }, [shown, entry.state]);

  const renewAt = entry.state === "in" ? Math.max(entry.renewAt, renewedUntil) : null;
  useEffect(() => {
    if (renewAt === null) return;
    const timer = setTimeout(() => { setRenewing(true); }, Math.max(0, renewAt - Date.now()));
    return () => { clearTimeout(timer); };
  }, [renewAt]);

  const load = entry.state === "loading" ? entry.tries : 0;
  const waiting = entry.state === "loading" || entry.state === "asking" || entry.state === "handed";
  return (
    <Box position="absolute" inset="0" display={shown ? "block" : "none"}>
      <Frame ref={frame} key={load > 1 ? `load-${load}` : "load"} src={door} title={`Editor of ${name}`} sandbox={SANDBOX} allow={allowed(origin)} referrerPolicy="no-referrer" visibility={entry.state === "in" ? "visible" : "hidden"} />
      {waiting && <Over title={`Opening ${name}`}><Text quiet role="status">{load > 1 ? "Its page does not answer yet; it is loaded again." : "One moment."}</Text></Over>}
      {entry.state !== "in" && !waiting && <Stopped entry={entry} name={name} alone={() => { openAlone(workspace, origin); }} again={again} />}
      {renewing && <Renewal workspace={workspace} origin={origin} onDone={(until) => { setRenewing(false); setRenewedUntil(until); }} />}
    </Box>
  );
}

function Over({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Box position="absolute" inset="0" display="grid" placeItems="center" padding="6" bg="bg">
      <Stack maxWidth="34rem" gap="3"><Heading fontSize="xl">{title}</Heading>{children}</Stack>
    </Box>
  );
}

function Stopped({ entry, name, alone, again }: { entry: Entry; name: string; alone: () => void; again: () => void }) {
  const barred = entry.state === "no-cookie";
  const actions = <Row flexWrap="wrap"><Button look={barred ? "plain" : "main"} onClick={again}>Try again</Button><Button look={barred ? "main" : "plain"} onClick={alone}>Open in a tab of its own</Button></Row>;
  switch (entry.state) {
    case "no-cookie": return <Over title="Your browser keeps no cookie for a page within a page"><Text quiet>Open the workspace in a tab of its own; it works the same there.</Text>{actions}</Over>;
    case "refused": return <Over title={`${name} did not let you in`}><Text quiet>{entry.status === 404 ? "The code was used or too old." : "It cannot ask who you are right now."} Trying again makes a new one. Nothing is lost.</Text>{actions}</Over>;
    case "silent": return <Over title="The editor does not answer"><Text quiet>The workspace runs, but nothing at its address speaks with this page. Where the editor is not built yet, build it with <code>make theia</code>; otherwise stop and start the workspace.</Text>{actions}</Over>;
    case "unavailable": return <Over title="The editor cannot be entered here yet"><Text quiet>This server hands out no codes for workspaces. The workspace itself runs, and everything else works.</Text>{actions}</Over>;
    case "failed": return <Over title={`${name} could not be opened`}><ProblemView error={entry.error} again={again} /></Over>;
    default: return null;
  }
}

/** Renews the cookie in a frame of its own, so that the editor is not touched. */
function Renewal({ workspace, origin, onDone }: { workspace: string; origin: string; onDone: (renewAt: number) => void }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const { entry } = useEntry({ workspace, origin, frame, renew: true });
  // Whatever went wrong: once the cookie is over the editor's own page comes back to the door and asks again.
  const over = !["loading", "asking", "handed"].includes(entry.state);
  const done = useRef(onDone);
  useEffect(() => { done.current = onDone; }, [onDone]);
  useEffect(() => {
    if (over) done.current(entry.state === "in" ? entry.renewAt : Date.now() + AFTER_FAILURE);
  }, [over, entry]);
  return <Frame ref={frame} key={entry.state === "loading" ? entry.tries : 0} src={`${origin}/coditect/enter`} title="Renews the login of the editor" hidden tabIndex={-1} aria-hidden="true" sandbox="allow-scripts allow-same-origin" />;
}
