import { chakra } from "@chakra-ui/react";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button";
import { icons } from "./icons";
import { Heading } from "./text";

const Native = chakra("dialog", {
  base: {
    margin: "auto", width: "min(30rem, calc(100vw - 2rem))", maxHeight: "calc(100dvh - 2rem)", overflow: "auto", bg: "bg.panel", color: "fg", borderWidth: "1px", borderColor: "border", borderRadius: "lg", padding: "5",
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

/** The browser's own dialog: it keeps the focus, gives it back, and closes with Escape. */
export function Dialog({ title, open, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <Native ref={ref} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose?.(); }} onClose={() => { if (open) onClose?.(); }}>
      <chakra.div display="flex" justifyContent="space-between" alignItems="center" gap="3" marginBottom="4">
        <Heading id={id}>{title}</Heading>
        {onClose && <Button look="quiet" square aria-label="Close" onClick={onClose}>{icons.close}</Button>}
      </chakra.div>
      {open && children}
    </Native>
  );
}
