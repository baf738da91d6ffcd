import { create } from "zustand";

/** Whether sign-up stands open over the present page. */
export const useDoor = create<{ open: boolean; set: (open: boolean) => void }>((set) => ({ open: false, set: (open) => { set({ open }); } }));
