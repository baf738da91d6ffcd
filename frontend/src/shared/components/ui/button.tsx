import { chakra } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router";

const shape = {
  base: {
    display: "inline-flex", alignItems: "center", justifyContent: "center", gap: "2", minHeight: "9", paddingInline: "3.5", fontSize: "sm", fontWeight: "medium", lineHeight: "1.2",
    borderRadius: "md", borderWidth: "1px", cursor: "pointer", textDecoration: "none", transition: "background-color 120ms, border-color 120ms", whiteSpace: "nowrap", flexShrink: 0,
    _disabled: { opacity: 0.55, cursor: "not-allowed" },
  },
  variants: {
    look: {
      main: { bg: "accent", color: "accent.on", borderColor: "accent", _hover: { bg: "accent.strong", borderColor: "accent.strong" } },
      plain: { bg: "bg.panel", color: "fg", borderColor: "border.strong", _hover: { bg: "bg.muted" } },
      quiet: { bg: "transparent", color: "fg", borderColor: "transparent", _hover: { bg: "bg.muted" } },
      danger: { bg: "bad", color: "bad.on", borderColor: "bad" },
    },
    square: { true: { width: "9", paddingInline: 0 } },
    large: { true: { minHeight: "12", paddingInline: "6", fontSize: "md" } },
  },
  defaultVariants: { look: "plain" },
} as const;

const Plain = chakra("button", shape);

export interface ButtonProps extends React.ComponentProps<typeof Plain> {
  /** It has been pressed and the answer is on its way; it stays focusable. */
  busy?: boolean;
}

export function Button({ busy, onClick, children, ...rest }: ButtonProps) {
  return (
    <Plain type="button" aria-disabled={busy || undefined} aria-busy={busy || undefined} onClick={busy ? (event) => { event.preventDefault(); } : onClick} {...rest}>
      {children}
    </Plain>
  );
}

/** A link that looks like a button. */
export const ButtonLink = chakra(RouterLink, shape);
/** The same to another address than the app's. */
export const ButtonAnchor = chakra("a", shape);

const linkShape = { base: { color: "accent", textUnderlineOffset: "3px", textDecoration: "underline", textDecorationThickness: "1px", _hover: { color: "accent.strong" } } } as const;
export const Link = chakra(RouterLink, linkShape);
export const Anchor = chakra("a", linkShape);
/** A link in a bar: no line below, the present page marked. */
export const BarLink = chakra(RouterLink, {
  base: {
    color: "fg.muted", textDecoration: "none", fontSize: "sm", fontWeight: "medium", paddingInline: "2.5", paddingBlock: "1.5", borderRadius: "md", _hover: { color: "fg", bg: "bg.muted" },
    "&[aria-current=page]": { color: "fg", bg: "bg.muted" },
  },
});
