import { useMutation } from "@tanstack/react-query";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Item, List, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { type SeenPerson, hold, letGo } from "./calls";

/** What holding somebody, or letting them go, does. */
export function HoldDialog({ seen, onClose, onDone }: { seen: SeenPerson; onClose: () => void; onDone: (seen: SeenPerson) => unknown }) {
  const held = Boolean(seen.held_at);
  const name = seen.display_name ?? "this user";
  const change = useMutation({
    mutationFn: () => (held ? letGo : hold)(seen.user),
    onSuccess: (after) => { say(held ? `${name} is let go.` : `${name} is held.`); onClose(); onDone(after); },
  });
  return (
    <Dialog title={held ? `Let ${name} go` : `Hold ${name}`} open onClose={onClose}>
      <Stack gap="4">
        {change.isError && <ProblemView error={change.error} />}
        {held
          ? <Text small>With the next commit workspaces may run again. They stay off until somebody starts them.</Text>
          : (
            <List display="grid" gap="1" fontSize="sm">
              <Item>With the next commit nothing of this user may run, and its workspaces stop.</Item>
              <Item>Files are kept. The person may still sign in, take their data with them and delete it.</Item>
              <Item>They see on their dashboard that they are held, and since when.</Item>
            </List>
          )}
        <Text small quiet>It is recorded with your account, here and in the person's organisation.</Text>
        <Button look={held ? "main" : "danger"} busy={change.isPending} onClick={() => { change.mutate(); }}>{held ? "Let go" : "Hold"}</Button>
      </Stack>
    </Dialog>
  );
}
