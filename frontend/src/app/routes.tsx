import { createBrowserRouter } from "react-router";
import { Crashed, NotFound } from "./error-pages";
import { Protected } from "./protected";
import { Shell } from "./shell";
import { Root } from "./root";

/** A page of its own file, so that nobody loads what they do not look at. */
const page = (load: () => Promise<{ Page: React.ComponentType }>) => async () => ({ Component: (await load()).Page });

export const router = createBrowserRouter([
  {
    Component: Root,
    ErrorBoundary: Crashed,
    HydrateFallback: () => null,
    children: [
      {
        Component: Shell,
        children: [
          { index: true, lazy: page(() => import("@/features/landing/page")) },
          { path: "terms", lazy: page(() => import("@/features/legal/terms")) },
          { path: "privacy", lazy: page(() => import("@/features/legal/privacy")) },
          { path: "login", lazy: page(() => import("@/features/auth/login-page")) },
          { path: "register", lazy: page(() => import("@/features/auth/register-page")) },
          { path: "verify", lazy: page(() => import("@/features/auth/verify-page")) },
          { path: "identity", lazy: page(() => import("@/features/auth/identity-page")) },
          { path: "invitation", lazy: page(() => import("@/features/invitation/page")) },
          { path: "forgot", lazy: page(() => import("@/features/auth/forgot-page")) },
          {
            Component: Protected,
            children: [
              { path: "dashboard", lazy: page(() => import("@/features/dashboard/page")) },
              { path: "wake/:slug", lazy: page(() => import("@/features/dashboard/wake-page")) },
              { path: "settings/:part?", lazy: page(() => import("@/features/settings/page")) },
              { path: "organisation/:part?", lazy: page(() => import("@/features/organisation/page")) },
              { path: "admin/:part?", lazy: page(() => import("@/features/admin/page")) },
              { path: "admin/users/:id", lazy: page(() => import("@/features/admin/page")) },
              { path: "billing", lazy: page(() => import("@/features/billing/page")) },
              { path: "workspaces/:id/manifests", lazy: page(() => import("@/features/manifests/page")) },
            ],
          },
          { path: "*", Component: NotFound },
        ],
      },
      { Component: Protected, children: [{ path: "ide/:id?", lazy: page(() => import("@/features/ide/page")) }] },
    ],
  },
]);
