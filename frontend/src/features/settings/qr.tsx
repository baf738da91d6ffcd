import { encode } from "uqr";
import { useMemo } from "react";
import { Box } from "@/shared/components/ui";

/** A QR code of `text`: dark on light in either theme, as cameras expect it. */
export function Qr({ text, title }: { text: string; title: string }) {
  const { size, path } = useMemo(() => drawn(text), [text]);
  return (
    <Box width="11rem" height="11rem" flexShrink={0} borderRadius="md" overflow="hidden" borderWidth="1px" borderColor="border">
      <svg viewBox={`0 0 ${size} ${size}`} width="100%" height="100%" role="img" aria-label={title} shapeRendering="crispEdges">
        <title>{title}</title>
        <rect width={size} height={size} fill="#fff" />
        <path d={path} fill="#000" />
      </svg>
    </Box>
  );
}

/** Its dark squares as one path, a run of each row at a time; four light squares around them, as the standard asks. */
export function drawn(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { border: 4, ecc: "M" });
  const runs = data.flatMap((row, y) => [...row.map((dark) => (dark ? "1" : "0")).join("").matchAll(/1+/g)].map((run) => `M${run.index} ${y}h${run[0].length}v1h-${run[0].length}z`));
  return { size, path: runs.join("") };
}
