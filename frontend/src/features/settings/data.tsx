import { Heading, Text } from "@/shared/components/ui";
import { CopyOfAll } from "./copy-of-all";

export function DataPart() {
  return (
    <>
      <Heading>Your data</Heading>
      <Text quiet small>What this installation holds of you: profile, sign-ins, keys, workspaces, what is open in them, what you decided. That a copy was taken is noted among it.</Text>
      <CopyOfAll />
    </>
  );
}
