import { useEffect } from "react";
import { Box, Button, Row, Text, icons } from "@/shared/components/ui";
import { useAnnouncements } from "@/shared/lib/announce";

/** What was just done, at the lower edge; an error stays until it is put away. */
export function Announcements() {
  const { said, clear } = useAnnouncements();
  useEffect(() => {
    if (!said || said.tone === "bad") return;
    const timer = setTimeout(clear, 6_000);
    return () => { clearTimeout(timer); };
  }, [said, clear]);
  return (
    <Box role="status" aria-live="polite" position="fixed" bottom="4" insetInline="4" display="flex" justifyContent="center" pointerEvents="none" zIndex="40">
      {said && (
        <Row key={said.id} pointerEvents="auto" bg="bg.panel" borderWidth="1px" borderColor={said.tone === "bad" ? "bad" : "border.strong"} borderRadius="md" paddingInline="4" paddingBlock="2" maxWidth="40rem" boxShadow="0 8px 24px rgba(8, 11, 16, 0.25)">
          <Box color={said.tone}>{said.tone === "bad" ? icons.failed : icons.done}</Box>
          <Text fontSize="sm">{said.text}</Text>
          <Button look="quiet" square minHeight="7" width="7" aria-label="Put away" onClick={clear}>{icons.close}</Button>
        </Row>
      )}
    </Box>
  );
}
