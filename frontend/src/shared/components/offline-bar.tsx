import { useSyncExternalStore } from "react";
import { useConnection } from "@/shared/workspaces/live";
import { Box, Row, Text, icons } from "./ui";

function watch(changed: () => void): () => void {
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}

export const useOnline = () => useSyncExternalStore(watch, () => navigator.onLine);

/** Says that what is shown may be old, and that nothing need be done about it. */
export function OfflineBar() {
  const online = useOnline();
  const away = useConnection(({ state }) => state === "away");
  if (online && !away) return null;
  return (
    <Box bg="warn.subtle" color="warn" role="status" borderBottomWidth="1px" borderColor="border">
      <Row maxWidth="1200px" marginInline="auto" paddingInline={{ base: "4", md: "6" }} paddingBlock="2" fontSize="sm">
        {icons.offline}
        <Text color="fg">{online ? "The server does not answer. What you see may be old; it is tried again by itself." : "You are offline. What you see may be old; it goes on by itself once you are back."}</Text>
      </Row>
    </Box>
  );
}
