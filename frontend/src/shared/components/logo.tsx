import { Row, Span } from "./ui";

/** `small`: its sign alone where there is little room. */
export function Logo({ small = false }: { small?: boolean }) {
  return (
    <Row gap="2" fontWeight="semibold" letterSpacing="-0.01em">
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#3b5bdb" /><path d="M13 10 7 16l6 6M19 10l6 6-6 6" fill="none" stroke="#fff" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" /></svg>
      <Span display={small ? { base: "none", md: "inline" } : "inline"}>Coditect</Span>
    </Row>
  );
}
