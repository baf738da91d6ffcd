import { useMutation } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLocation } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { ButtonLink, Stack, Text } from "@/shared/components/ui";
import { verifyEmail } from "./actions";
import { Door } from "./door";

/** Where the mail's link leads. The code stands behind `#`, which no server and no log ever sees. */
export function Page() {
  const { hash, state } = useLocation();
  const code = new URLSearchParams(hash.slice(1)).get("code");
  const email = (state as { email?: string } | null)?.email;
  const { mutate, ...verify } = useMutation({ mutationFn: verifyEmail });
  useEffect(() => { if (code) mutate(code); }, [code, mutate]);
  if (!code) {
    return (
      <Door title="Check your mail" below="Nothing came? Look among unwanted mail. If you have an account already, sign in instead.">
        <Stack gap="4">
          <Text>{email ? <>We wrote to <strong>{email}</strong>. </> : "We wrote to you. "}Open the link in it to go on; your workspace starts then.</Text>
          <ButtonLink to="/login">Sign in</ButtonLink>
        </Stack>
      </Door>
    );
  }
  return (
    <Door title="Verify your address">
      <Stack gap="4">
        {verify.isPending && <Text role="status">One moment…</Text>}
        {verify.isError && <ProblemView error={verify.error} again={() => { mutate(code); }} />}
        {verify.isSuccess && <Text role="status">{verify.data === "new_address" ? "Your account has this address now. Sign in with it from here on." : "Your address is verified, and your workspace is on its way. Sign in to see it."}</Text>}
        {!verify.isPending && <ButtonLink to="/login" look="main">Sign in</ButtonLink>}
      </Stack>
    </Door>
  );
}
