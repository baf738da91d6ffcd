import { chakra } from "@chakra-ui/react";

export const Text = chakra("p", { variants: { quiet: { true: { color: "fg.muted" } }, small: { true: { fontSize: "sm" } } } });
export const Span = chakra("span", { variants: { quiet: { true: { color: "fg.muted" } } } });
export const Title = chakra("h1", { base: { fontSize: "2xl", letterSpacing: "-0.01em" } });
export const Heading = chakra("h2", { base: { fontSize: "lg" } });
export const Subheading = chakra("h3", { base: { fontSize: "md" } });
/** Ids, shas, paths. */
export const Mono = chakra("code", { base: { fontFamily: "mono", fontSize: "sm", overflowWrap: "anywhere" } });
export const Block = chakra("pre", {
  base: { fontFamily: "mono", fontSize: "sm", lineHeight: "1.55", overflow: "auto", bg: "bg.subtle", borderWidth: "1px", borderColor: "border", borderRadius: "md", padding: "3", whiteSpace: "pre" },
});
export const Key = chakra("kbd", {
  base: { fontFamily: "mono", fontSize: "sm", borderWidth: "1px", borderBottomWidth: "2px", borderColor: "border.strong", borderRadius: "sm", paddingInline: "1.5", bg: "bg.subtle" },
});
