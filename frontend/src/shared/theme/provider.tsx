import { ChakraProvider } from "@chakra-ui/react";
import createCache from "@emotion/cache";
import { CacheProvider } from "@emotion/react";
import type { ReactNode } from "react";
import { AdoptedSheet } from "./adopted-sheet";
import { system } from "./system";

const cache = createCache({ key: "c" });
if ("adoptedStyleSheets" in document) {
  const sheet = new AdoptedSheet({ key: "c" });
  // Layers rank in the order in which they are first named, and this sheet stands before all others.
  sheet.insert(system.layers.atRule);
  cache.sheet = sheet as unknown as typeof cache.sheet;
}

/** Tokens and styles for everything below. */
export function ThemeProvider({ children }: { children: ReactNode }) {
  return (
    <CacheProvider value={cache}>
      <ChakraProvider value={system}>{children}</ChakraProvider>
    </CacheProvider>
  );
}
