import { create } from "zustand";

export type Theme = "system" | "light" | "dark";

const KEY = "coditect.theme";
const dark = () => matchMedia("(prefers-color-scheme: dark)");

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

function apply(theme: Theme): void {
  document.documentElement.className = theme === "dark" || (theme === "system" && dark().matches) ? "dark" : "light";
}

/** Which theme was chosen; every open tab follows. */
export const useTheme = create<{ theme: Theme; choose: (theme: Theme) => void }>((set) => ({
  theme: kept(),
  choose: (theme) => {
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Storage is off: it holds until the page is left.
    }
    apply(theme);
    set({ theme });
  },
}));

/** Follows the system and the other tabs from now on. */
export function followTheme(): void {
  dark().addEventListener("change", () => { apply(useTheme.getState().theme); });
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    useTheme.setState({ theme: kept() });
    apply(kept());
  });
}
