import { useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { Dialog, Grid, Key, Row, Span } from "@/shared/components/ui";
import { type Command, keys } from "./keys";

const help: [string, string[]][] = [["Dashboard", ["g", "d"]], ["Settings", ["g", "s"]], ["Billing", ["g", "b"]], ["Organisation", ["g", "o"]], ["Search workspaces", ["/"]], ["This help", ["?"]], ["Leave the editor", ["Esc", "Esc"]], ["Close what is open", ["Esc"]]];

const typing = (target: EventTarget | null) => target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || target.closest("dialog, [role=menu]") !== null);

/** Follows the keys that hold on every page; gives the help that `?` opens. */
export function useShortcuts() {
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const press = keys();
    const does: Record<Command, () => void> = {
      dashboard: () => void navigate("/dashboard"),
      settings: () => void navigate("/settings"),
      billing: () => void navigate("/billing"),
      organisation: () => void navigate("/organisation"),
      search: () => { document.querySelector<HTMLElement>("[data-search]")?.focus(); },
      help: () => { setOpen(true); },
    };
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      const command = press(event.key, event.timeStamp);
      if (!command) return;
      event.preventDefault();
      does[command]();
    };
    addEventListener("keydown", onKeyDown);
    return () => { removeEventListener("keydown", onKeyDown); };
  }, [navigate]);
  return (
    <Dialog title="Keys" open={open} onClose={() => { setOpen(false); }}>
      <Grid gap="2.5">
        {help.map(([name, sequence]) => (
          <Row key={name} justifyContent="space-between"><Span>{name}</Span><Row gap="1">{sequence.map((key, at) => <Key key={at}>{key}</Key>)}</Row></Row>
        ))}
      </Grid>
    </Dialog>
  );
}
