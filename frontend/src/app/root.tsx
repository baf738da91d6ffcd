import { Suspense, lazy, useEffect, useRef } from "react";
import { Outlet, useLocation, useNavigation } from "react-router";
import { Box } from "@/shared/components/ui";
import { useDoor } from "@/shared/session/door";
import { begin, useSession } from "@/shared/session/session";
import { useShortcuts } from "./shortcuts";

const AuthDialog = lazy(() => import("@/features/auth/auth-dialog"));
const SignInAgain = lazy(() => import("@/features/auth/sign-in-again"));

const names: Record<string, string> = { "": "Workspaces in the browser", login: "Sign in", register: "Sign up", verify: "Verify your address", forgot: "New password", dashboard: "Dashboard", settings: "Settings", organisation: "Organisation", admin: "Administration", invitation: "Invitation", billing: "Billing", terms: "Terms", privacy: "Privacy", ide: "Editor", wake: "Wake", workspaces: "Manifests" };

/** Around every page: who is there, where one is, keys, and what is asked when a login ended. */
export function Root() {
  const { pathname } = useLocation();
  const loading = useNavigation().state === "loading";
  const ended = useSession(({ status }) => status === "ended");
  const door = useDoor();
  const help = useShortcuts();
  const shown = useRef<string | null>(null);

  useEffect(() => { void begin(false).catch(() => undefined); }, []);
  useEffect(() => {
    const name = names[pathname.split("/")[1] ?? ""] ?? "Not found";
    document.title = `${name} · Coditect`;
    if (shown.current === pathname) return;
    // A new page is read from its beginning; the first one has the focus where the browser put it.
    if (shown.current !== null) {
      scrollTo(0, 0);
      document.getElementById("main")?.focus({ preventScroll: true });
    }
    shown.current = pathname;
  }, [pathname]);

  return (
    <>
      {loading && <Box role="progressbar" aria-label="Loading the page" position="fixed" top="0" insetInline="0" height="2px" bg="accent" zIndex="50" />}
      <Outlet />
      {help}
      {door.open && <Suspense><AuthDialog onClose={() => { door.set(false); }} /></Suspense>}
      {ended && <Suspense><SignInAgain /></Suspense>}
    </>
  );
}
