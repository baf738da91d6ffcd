import { chakra } from "@chakra-ui/react";

export const Box = chakra("div");
export const Row = chakra("div", { base: { display: "flex", alignItems: "center", gap: "2" } });
export const Stack = chakra("div", { base: { display: "flex", flexDirection: "column", gap: "3" } });
export const Grid = chakra("div", { base: { display: "grid", gap: "4" } });
export const Main = chakra("main", { base: { width: "100%", maxWidth: "1200px", marginInline: "auto", paddingInline: { base: "4", md: "6" }, paddingBlock: { base: "6", md: "8" } } });
export const Section = chakra("section");
export const List = chakra("ul", { base: { listStyle: "none", margin: 0, padding: 0 } });
export const Steps = chakra("ol", { base: { listStyle: "none", margin: 0, padding: 0 } });
export const Item = chakra("li", { base: { minWidth: 0 } });
export const Form = chakra("form", { base: { display: "flex", flexDirection: "column", gap: "4" } });
export const Frame = chakra("iframe", { base: { border: 0, width: "100%", height: "100%", display: "block", bg: "bg" } });
/** Something that opens below its summary. */
export const Fold = chakra("details");
export const Summary = chakra("summary", { base: { cursor: "pointer" } });
/** Heard, not seen. */
export const Unseen = chakra("span", { base: { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)", whiteSpace: "nowrap" } });
