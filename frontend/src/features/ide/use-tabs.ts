import { useEffect, useState } from "react";
import type { Workspace } from "@/shared/api/client";
import { type Tabs, close, only, show } from "./tabs";

const KEY = "coditect.tabs";

function kept(): Tabs {
  try {
    const open: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return { open: Array.isArray(open) ? open.filter((id) => typeof id === "string") : [], live: [] };
  } catch {
    return { open: [], live: [] };
  }
}

/** The open tabs of this window; ids only are kept, and only as long as the window. */
export function useTabs(present: string | undefined, all: readonly Workspace[] | undefined) {
  const [state, setTabs] = useState(kept);
  const [shown, setShown] = useState<string | null>(null);
  const there = all?.find(({ id }) => id === present)?.id ?? null;
  if (there !== null && there !== shown) {
    setShown(there);
    setTabs(show(state, there));
  }
  useEffect(() => { sessionStorage.setItem(KEY, JSON.stringify(state.open)); }, [state]);
  const tabs = all ? only(state, all.map(({ id }) => id)) : state;
  return {
    open: tabs.open.map((id) => all?.find((one) => one.id === id)).filter((one) => one !== undefined),
    // In a steady order: a frame that changes its place in the page would be loaded anew.
    live: [...tabs.live].sort(),
    close: (id: string) => {
      const { tabs: rest, next } = close(tabs, id);
      setTabs(rest);
      return next;
    },
  };
}
