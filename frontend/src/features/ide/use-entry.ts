import { type RefObject, useEffect, useReducer, useRef } from "react";
import { connect } from "@/shared/api/workspace";
import { PATIENCE, begin, heard, next } from "./entry";

interface Door {
  workspace: string;
  /** The workspace's own origin: nobody else is spoken to. */
  origin: string;
  frame: RefObject<HTMLIFrameElement | null>;
  /** Renews the cookie beside a frame that is in already. */
  renew: boolean;
  onLeave?: () => void;
}

/** Hands codes to a frame's page, and follows what it says. */
export function useEntry({ workspace, origin, frame, renew, onLeave }: Door) {
  const [entry, say] = useReducer(next, begin);
  const leave = useRef(onLeave);
  useEffect(() => { leave.current = onLeave; }, [onLeave]);

  useEffect(() => {
    const onMessage = (event: MessageEvent) => {
      if (event.origin !== origin || event.source !== frame.current?.contentWindow) return;
      const said = heard(event.data, Date.now());
      if (said === "leave") leave.current?.();
      else if (said) say(said);
    };
    addEventListener("message", onMessage);
    return () => { removeEventListener("message", onMessage); };
  }, [origin, frame]);

  const asking = entry.state === "asking";
  useEffect(() => {
    if (!asking) return;
    let left = false;
    connect(workspace).then((made) => {
      if (left) return;
      if (!made) { say({ type: "unavailable" }); return; }
      frame.current?.contentWindow?.postMessage({ type: "coditect:code", code: made.code, renew }, origin);
      say({ type: "handed" });
    }, (error: unknown) => { if (!left) say({ type: "failed", error }); });
    return () => { left = true; };
  }, [asking, workspace, origin, frame, renew]);

  const tries = entry.state === "loading" ? entry.tries : 0;
  useEffect(() => {
    if (tries === 0) return;
    const timer = setTimeout(() => { say({ type: "quiet" }); }, PATIENCE);
    return () => { clearTimeout(timer); };
  }, [tries]);

  return { entry, again: () => { say({ type: "again" }); } };
}
