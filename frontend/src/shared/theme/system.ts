import { createSystem, defaultBaseConfig, defineConfig } from "@chakra-ui/react";
import { colors, spacing, tokens } from "./tokens";

// The library's engine with our tokens and none of its recipes: they are most of its weight.
export const system = createSystem(
  defaultBaseConfig,
  defineConfig({
    preflight: true,
    theme: {
      breakpoints: { sm: "480px", md: "768px", lg: "1024px", xl: "1280px", "2xl": "1600px" },
      tokens: { ...tokens, sizes: spacing },
      semanticTokens: { colors },
    },
    globalCss: {
      html: { colorScheme: "light", bg: "bg", color: "fg", fontFamily: "body", fontSize: "100%", lineHeight: "1.5" },
      "html.dark": { colorScheme: "dark" },
      body: { fontSize: "md", minHeight: "100dvh", overflowWrap: "break-word" },
      "#root": { minHeight: "100dvh" },
      "h1, h2, h3": { fontWeight: "semibold", lineHeight: "1.25" },
      "*:focus-visible": { outline: "2px solid", outlineColor: "accent", outlineOffset: "2px" },
      "::selection": { bg: "accent.subtle" },
      // On paper stands what is marked to be printed, where something is.
      "html:has([data-print]) body :not([data-print], [data-print] *, :has([data-print]))": { "@media print": { display: "none !important" } },
      "[data-print], [data-print] *": { "@media print": { color: "#000 !important", background: "#fff !important" } },
      "*, *::before, *::after": { "@media (prefers-reduced-motion: reduce)": { animation: "none !important", transition: "none !important", scrollBehavior: "auto !important" } },
    },
  }),
);
