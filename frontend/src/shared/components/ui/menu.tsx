import { chakra } from "@chakra-ui/react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Link as RouterLink } from "react-router";
import { Button, type ButtonProps } from "./button";

const Panel = chakra("div", {
  base: { position: "absolute", insetInlineEnd: 0, top: "calc(100% + 4px)", zIndex: 20, minWidth: "13rem", bg: "bg.panel", borderWidth: "1px", borderColor: "border", borderRadius: "md", padding: "1", boxShadow: "0 8px 24px rgba(8, 11, 16, 0.18)" },
});
const item = {
  base: {
    display: "flex", width: "100%", alignItems: "center", gap: "2", minHeight: "9", paddingInline: "2.5", fontSize: "sm", textAlign: "start", borderRadius: "sm", cursor: "pointer", textDecoration: "none", color: "fg",
    _hover: { bg: "bg.muted" }, _focus: { bg: "bg.muted" }, "&[data-danger]": { color: "bad" }, _disabled: { opacity: 0.55, cursor: "not-allowed" },
  },
} as const;
const ItemButton = chakra("button", item);
const ItemLink = chakra(RouterLink, item);

export type MenuEntry = { label: string; key?: string; note?: string | undefined; danger?: boolean; disabled?: boolean } & ({ to: string } | { act: () => void });

const words = ({ label, note }: MenuEntry) => (note === undefined ? label : <chakra.span paddingBlock="1.5"><chakra.span display="block">{label}</chakra.span><chakra.span display="block" color="fg.muted">{note}</chakra.span></chakra.span>);

/** A button that opens a list of things to do (the menu button pattern of the ARIA authoring practices). */
export function Menu({ label, entries, children, ...button }: { label: string; entries: MenuEntry[]; children: ReactNode } & Omit<ButtonProps, "children" | "onClick">) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const trigger = useRef<HTMLButtonElement>(null);
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)") ?? [])];

  useEffect(() => {
    if (!open) return;
    root.current?.querySelector<HTMLElement>("[role=menuitem]:not(:disabled)")?.focus();
    const away = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", away);
    return () => { removeEventListener("pointerdown", away); };
  }, [open]);

  const close = () => { setOpen(false); trigger.current?.focus(); };
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const go: Record<string, number> = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 };
    const next = go[event.key];
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); close(); }
    else if (event.key === "Tab") setOpen(false);
    else if (next !== undefined) { event.preventDefault(); all[next]?.focus(); }
    else if (/^[a-z]$/i.test(event.key)) all.find((one) => one.textContent?.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    else return;
    event.stopPropagation();
  };

  return (
    <chakra.div ref={root} position="relative">
      <Button ref={trigger} aria-haspopup="menu" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={label} onClick={() => { setOpen(!open); }}
        onKeyDown={(event) => { if (event.key === "ArrowDown" && !open) { event.preventDefault(); setOpen(true); } }} {...button}>
        {children}
      </Button>
      {open && (
        <Panel id={id} role="menu" aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
          {entries.map((entry) => "to" in entry
            ? <ItemLink key={entry.key ?? entry.label} role="menuitem" tabIndex={-1} to={entry.to} data-danger={entry.danger || undefined} onClick={() => { setOpen(false); }}>{words(entry)}</ItemLink>
            : <ItemButton key={entry.key ?? entry.label} role="menuitem" tabIndex={-1} data-danger={entry.danger || undefined} disabled={entry.disabled} onClick={() => { close(); entry.act(); }}>{words(entry)}</ItemButton>)}
        </Panel>
      )}
    </chakra.div>
  );
}
