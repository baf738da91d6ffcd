/** The one set of tokens. Each colour has its light and its dark value; text on grounds has a contrast of 4.5 or more. */
const both = (light: string, dark: string) => ({ value: { base: light, _dark: dark } });

export const colors = {
  bg: { DEFAULT: both("#ffffff", "#0e1116"), subtle: both("#f6f7f9", "#13171e"), panel: both("#ffffff", "#171c24"), muted: both("#eceff3", "#222935") },
  fg: { DEFAULT: both("#14181f", "#e8ebf0"), muted: both("#525c6b", "#a2acba") },
  border: { DEFAULT: both("#dde1e7", "#2a323e"), strong: both("#7d8796", "#6b7686") },
  accent: { DEFAULT: both("#3b5bdb", "#91a7ff"), on: both("#ffffff", "#0e1116"), subtle: both("#edf0ff", "#1b2340"), strong: both("#2f49b5", "#b3c2ff") },
  good: { DEFAULT: both("#17703f", "#5fd08f"), subtle: both("#e6f5ec", "#12291d") },
  warn: { DEFAULT: both("#855400", "#f2b84b"), subtle: both("#fdf3dd", "#2e240d") },
  bad: { DEFAULT: both("#b42318", "#ff9087"), subtle: both("#fdecea", "#331614"), on: both("#ffffff", "#1d0c0a") },
  idle: { DEFAULT: both("#525c6b", "#a2acba"), subtle: both("#eceff3", "#222935") },
} as const;

/** The colours of state, by name. */
export type Tone = "good" | "warn" | "bad" | "idle" | "accent";

/** Space on a grid of 4 px: a step is 0.25 rem. */
export const spacing = Object.fromEntries(
  [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 40, 44, 48].map((step) => [String(step), { value: `${step * 0.25}rem` }]),
);

export const tokens = {
  fonts: {
    body: { value: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif" },
    heading: { value: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif" },
    mono: { value: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace" },
  },
  // 14 px is the least.
  fontSizes: { sm: { value: "0.875rem" }, md: { value: "0.9375rem" }, lg: { value: "1.0625rem" }, xl: { value: "1.3125rem" }, "2xl": { value: "1.75rem" }, "4xl": { value: "2.75rem" } },
  fontWeights: { normal: { value: "400" }, medium: { value: "500" }, semibold: { value: "600" } },
  radii: { sm: { value: "4px" }, md: { value: "6px" }, lg: { value: "10px" }, full: { value: "999px" } },
  durations: { quick: { value: "120ms" } },
  spacing,
} as const;
