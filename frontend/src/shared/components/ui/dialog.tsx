import { chakra } from "@chakra-ui/react";
import { type ReactNode, useEffect, useId, useLayoutEffect, useRef } from "react";
import { Button } from "./button";
import { icons } from "./icons";
import { Heading } from "./text";

const Native = chakra("dialog", {
  base: {
    position: "fixed", margin: "auto", width: "min(30rem, calc(100vw - 2rem))", maxHeight: "calc(100dvh - 2rem)", overflow: "auto", bg: "bg.panel", color: "fg", borderWidth: "1px", borderColor: "border", borderRadius: "lg", padding: "5",
    "&::backdrop": { background: "rgba(8, 11, 16, 0.55)" },
  },
});

interface DialogProps {
  title: string;
  open: boolean;
  /** None: it cannot be put aside. */
  onClose?: (() => void) | undefined;
  children: ReactNode;
}

function show(dialog: HTMLDialogElement): void {
  dialog.showModal();
  // What is filled in already need not be gone through.
  [...dialog.querySelectorAll("input")].find((one) => one.type !== "checkbox" && one.value === "")?.focus();
}

/** The browser's own dialog: it keeps the focus, gives it back, and closes with Escape. */
export function Dialog({ title, open, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    if (open && !dialog.open) show(dialog);
    if (!open && dialog.open) dialog.close();
  }, [open]);
  // An element that merely goes takes the focus with it; one that is closed before gives it back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    return () => { dialog?.close(); };
  }, []);
  const stays = open && !onClose;
  useEffect(() => {
    if (!stays) return;
    // The browser lets a page refuse one Escape, and closes at the second; it never hears of one that is taken before.
    const refuse = (event: KeyboardEvent) => { if (event.key === "Escape") event.preventDefault(); };
    document.addEventListener("keydown", refuse, true);
    return () => { document.removeEventListener("keydown", refuse, true); };
  }, [stays]);
  const closed = () => {
    if (!open || ref.current?.open) return;
    // By another way than a key, such as the gesture for going back.
    if (onClose) onClose();
    else if (ref.current) show(ref.current);
  };
  return (
    <Native ref={ref} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose?.(); }} onClose={closed}>
      <Heading id={id} minHeight="9" marginBottom="3" paddingInlineEnd="10" display="flex" alignItems="center" overflowWrap="anywhere">{title}</Heading>
      {open && children}
      {/* Last, so that the focus begins at what is asked. */}
      {onClose && <Button look="quiet" square aria-label="Close" position="absolute" top="5" insetInlineEnd="4" onClick={onClose}>{icons.close}</Button>}
    </Native>
  );
}
