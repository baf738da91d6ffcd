import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Member, removeMember } from "@/shared/api/tenants";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Dialog, Item, List, Stack, Text } from "@/shared/components/ui";
import { say } from "@/shared/lib/announce";
import { membersQuery } from "./queries";

/** What becomes of a member who is removed, and how it can be undone. */
export function RemoveDialog({ one, name, onClose }: { one: Member; name: string; onClose: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => removeMember(one.user),
    onSuccess: () => { say(one.left_behind ? "What was left behind goes." : `${name} is removed.`); onClose(); return client.invalidateQueries({ queryKey: membersQuery.queryKey }); },
  });
  return (
    <Dialog title={one.left_behind ? "Remove what was left behind" : `Remove ${name}`} open onClose={onClose}>
      <Stack gap="4">
        {remove.isError && <ProblemView error={remove.error} />}
        <List display="grid" gap="1" fontSize="sm">
          <Item>{one.left_behind ? "Its workspaces stop at once." : "They are out at once, and their workspaces here stop."}</Item>
          <Item>Workspaces with their files are deleted when the grace period ends.</Item>
        </List>
        <Text small>Until then {one.left_behind ? "it" : "the member"} can be restored, or the workspaces handed over to somebody who stays.</Text>
        <Button look="danger" busy={remove.isPending} onClick={() => { remove.mutate(); }}>{one.left_behind ? "Remove" : `Remove ${name}`}</Button>
      </Stack>
    </Dialog>
  );
}
