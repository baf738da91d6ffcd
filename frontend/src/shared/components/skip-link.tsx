import { Anchor } from "./ui";

/** Seen once it has the focus: past what every page has, to what this one is about. The address stays as it is. */
export function SkipLink({ children }: { children: string }) {
  return (
    <Anchor href="#main" position="absolute" insetInlineStart="-999px" _focus={{ insetInlineStart: "4", top: "2", bg: "bg.panel", padding: "2", zIndex: 60 }} onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
      {children}
    </Anchor>
  );
}
