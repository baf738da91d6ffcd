import { useQueryClient } from "@tanstack/react-query";
import { Button, Dialog, Stack, Text } from "@/shared/components/ui";
import { leave } from "@/shared/session/session";
import { meQuery } from "@/shared/workspaces/queries";
import { LoginForm } from "./login-form";

/** The login ended while somebody worked: the page stays as it is behind this. */
export default function SignInAgain() {
  const email = useQueryClient().getQueryData(meQuery.queryKey)?.email;
  return (
    <Dialog title="Sign in again" open>
      <Stack gap="4">
        <Text quiet>Your login ended: it lasts a day without use, and ends when you sign out elsewhere or change the password. The page behind this stays as you left it.</Text>
        <LoginForm onDone={() => undefined} {...(email ? { email } : {})} />
        <Button look="quiet" onClick={leave}>Leave</Button>
      </Stack>
    </Dialog>
  );
}
