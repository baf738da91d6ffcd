import { create } from "zustand";

interface Said { text: string; tone: "good" | "bad"; id: number }

/** What was just done or went wrong: shown for a while and read out. */
export const useAnnouncements = create<{ said: Said | null; say: (text: string, tone?: "good" | "bad") => void; clear: () => void }>((set, get) => ({
  said: null,
  say: (text, tone = "good") => { set({ said: { text, tone, id: (get().said?.id ?? 0) + 1 } }); },
  clear: () => { set({ said: null }); },
}));

export const say = (text: string, tone?: "good" | "bad") => { useAnnouncements.getState().say(text, tone); };
