import { chakra } from "@chakra-ui/react";
import { type ReactNode, useEffect, useState } from "react";
import { exact, relative } from "@/shared/lib/format";
import { icons } from "./icons";
import { Button } from "./button";
import { Block } from "./text";

/** The present time, again and again; not while nobody looks. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setNow(Date.now()); }, everyMs);
    return () => { clearInterval(timer); };
  }, [everyMs]);
  return now;
}

/** A time as people say it; the exact one on hover. */
export function Time({ at }: { at: string }) {
  const now = useNow(15_000);
  return <time dateTime={at} title={exact(at)}>{relative(at, now)}</time>;
}

/** Copies `text`; shows for a while that it did. `children`: words beside the icon. */
export function CopyButton({ text, what, children }: { text: string; what: string; children?: ReactNode }) {
  const [copied, setCopied] = useState(false);
  const small = children ? {} : { square: true, minHeight: "7", width: "7" } as const;
  return (
    <Button look={children ? "plain" : "quiet"} {...small} aria-label={copied ? `${what} copied` : `Copy ${what}`} onClick={() => {
      void navigator.clipboard.writeText(text).then(() => { setCopied(true); setTimeout(() => { setCopied(false); }, 2000); }, () => undefined);
    }}>{copied ? icons.done : icons.copy}{children}</Button>
  );
}

/** Text with a button that copies it. */
export function Copyable({ text, what, shown }: { text: string; what: string; shown?: string }) {
  return (
    <chakra.span display="inline-flex" alignItems="center" gap="1" maxWidth="100%">
      <chakra.code fontFamily="mono" fontSize="sm" overflowWrap="anywhere" title={text}>{shown ?? text}</chakra.code>
      <CopyButton text={text} what={what} />
    </chakra.span>
  );
}

/** What is typed into a terminal, with a button that copies it. */
export function Commands({ text, what }: { text: string; what: string }) {
  return (
    <chakra.div position="relative">
      <Block tabIndex={0} aria-label={what} role="group" paddingInlineEnd="12" whiteSpace="pre-wrap" overflowWrap="anywhere">{text}</Block>
      <chakra.div position="absolute" top="2" insetInlineEnd="2"><CopyButton text={text} what={what} /></chakra.div>
    </chakra.div>
  );
}
