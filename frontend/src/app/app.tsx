import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect } from "react";
import { RouterProvider } from "react-router/dom";
import { Problem } from "@/shared/api/problem";
import { useSession } from "@/shared/session/session";
import { ThemeProvider } from "@/shared/theme/provider";
import { Announcements } from "./announcements";
import { router } from "./routes";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What a person must change is not asked again; what passes is, twice.
      retry: (failures, error) => failures < 2 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
    },
  },
});

/** What was read for one account, or in one tenant, is never shown to another. */
function useOneAccount(): void {
  useEffect(() => useSession.subscribe((now, before) => {
    if (now.status === "out" && before.account !== null) client.clear();
    else if (before.account !== null && now.account !== null && (now.account !== before.account || now.tenant !== before.tenant)) void client.resetQueries();
  }), []);
}

export function App() {
  useOneAccount();
  return (
    <ThemeProvider>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
        <Announcements />
      </QueryClientProvider>
    </ThemeProvider>
  );
}
