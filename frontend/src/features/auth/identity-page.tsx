import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { ButtonLink, Notice, Stack, Text } from "@/shared/components/ui";
import { CodeForm } from "./code-form";
import { Door } from "./door";
import { enterByProvider, said } from "./providers";

/** Where a provider's sign-in ends. What came of it stands behind `#`, which no server and no log ever sees. */
export function Page() {
  const given = new URLSearchParams(useLocation().hash.slice(1));
  const [code, connected, problem] = [given.get("code"), given.get("connected"), given.get("problem")];
  const navigate = useNavigate();
  const home = () => { void navigate("/dashboard", { replace: true }); };
  const { mutate, ...enter } = useMutation({ mutationFn: enterByProvider, onSuccess: (asked) => { if (asked === null) home(); } });
  // A code is good once, and effects run twice in development.
  const handed = useRef<string | null>(null);
  useEffect(() => {
    if (code === null || handed.current === code) return;
    handed.current = code;
    mutate(code);
  }, [code, mutate]);
  if (connected !== null) return <Navigate to="/settings/connections" replace />;
  if (enter.data) {
    return (
      <Door title="Sign in">
        <CodeForm challenge={enter.data.challenge} onDone={home} onBack={() => { void navigate("/login", { replace: true }); }} />
      </Door>
    );
  }
  return (
    <Door title="Sign in">
      <Stack gap="4">
        {code !== null && !enter.isError && <Text role="status">One moment…</Text>}
        {enter.isError && <ProblemView error={enter.error} />}
        {code === null && <Notice tone="bad" role="alert"><Text>{said(problem ?? "")}</Text></Notice>}
        {(code === null || enter.isError) && <ButtonLink to={problem === "no-account" ? "/register" : "/login"} look="main">{problem === "no-account" ? "Sign up" : "Sign in"}</ButtonLink>}
      </Stack>
    </Door>
  );
}
