import { chakra } from "@chakra-ui/react";
import { useEffect, useState } from "react";
import { exact, relative } from "@/shared/lib/format";
import { icons } from "./icons";
import { Button } from "./button";

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

/** Text with a button that copies it. */
export function Copyable({ text, what, shown }: { text: string; what: string; shown?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <chakra.span display="inline-flex" alignItems="center" gap="1" maxWidth="100%">
      <chakra.code fontFamily="mono" fontSize="sm" overflowWrap="anywhere" title={text}>{shown ?? text}</chakra.code>
      <Button look="quiet" square minHeight="7" width="7" aria-label={copied ? `${what} copied` : `Copy ${what}`} onClick={() => {
        void navigator.clipboard.writeText(text).then(() => { setCopied(true); setTimeout(() => { setCopied(false); }, 2000); }, () => undefined);
      }}>{copied ? icons.done : icons.copy}</Button>
    </chakra.span>
  );
}
