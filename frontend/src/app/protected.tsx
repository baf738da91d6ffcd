import { useEffect, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { ProblemView } from "@/shared/components/problem-view";
import { Main, Skeleton, Stack, Title } from "@/shared/components/ui";
import { begin, useSession } from "@/shared/session/session";

/** Pages of somebody who is signed in. Whoever is not comes back here after signing in; who leaves goes to the start. */
export function Protected() {
  const status = useSession((session) => session.status);
  const { pathname } = useLocation();
  const [error, setError] = useState<unknown>(null);
  const [tries, setTries] = useState(0);
  const [wasIn, setWasIn] = useState(false);
  if (status === "in" && !wasIn) setWasIn(true);

  useEffect(() => {
    let left = false;
    begin(true).then(() => { if (!left) setError(null); }, (reason: unknown) => { if (!left) setError(reason); });
    return () => { left = true; };
  }, [tries]);

  // Whose login merely ended stays on the page and is asked there; `out` is who left.
  if (status === "out") return <Navigate to={wasIn ? "/" : `/login?to=${encodeURIComponent(pathname)}`} replace />;
  if (status === "unknown") {
    return (
      <Main aria-busy={!error}>
        {error ? <Stack gap="4"><Title>Whether you are signed in is not known</Title><ProblemView error={error} again={() => { setTries(tries + 1); }} /></Stack> : <Stack><Skeleton height="8" width="14rem" /><Skeleton height="40" /></Stack>}
      </Main>
    );
  }
  return <Outlet />;
}
