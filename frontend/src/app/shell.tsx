import { Link as RouterLink, Outlet, useLocation } from "react-router";
import { Logo } from "@/shared/components/logo";
import { ThemeButton } from "@/shared/components/theme-button";
import { TenantMenu } from "@/shared/components/tenant-menu";
import { UserMenu } from "@/shared/components/user-menu";
import { SkipLink } from "@/shared/components/skip-link";
import { OfflineBar } from "@/shared/components/offline-bar";
import { Anchor, BarLink, Box, ButtonLink, Link, Row, Span, Text } from "@/shared/components/ui";
import { useSession } from "@/shared/session/session";

/** Header and footer of every page but the IDE's. */
export function Shell() {
  const inside = useSession(({ status }) => status === "in" || status === "ended");
  const { pathname } = useLocation();
  const here = (path: string) => (pathname.startsWith(path) ? "page" as const : undefined);
  return (
    <Box minHeight="100dvh" display="flex" flexDirection="column">
      <SkipLink>Skip to the content</SkipLink>
      <Box as="header" borderBottomWidth="1px" borderColor="border" position="sticky" top="0" bg="bg" zIndex="10">
        <Row maxWidth="1200px" marginInline="auto" paddingInline={{ base: "4", md: "6" }} minHeight="14" justifyContent="space-between" gap="3">
          <Row gap={{ base: "2", md: "5" }} minWidth="0">
            <RouterLink to={inside ? "/dashboard" : "/"} aria-label="Coditect, home"><Logo /></RouterLink>
            {inside && (
              <Box as="nav" aria-label="Main" display={{ base: "none", md: "flex" }} gap="1">
                <BarLink to="/dashboard" aria-current={here("/dashboard")}>Dashboard</BarLink>
                <BarLink to="/billing" aria-current={here("/billing")}>Billing</BarLink>
                <BarLink to="/organisation" aria-current={here("/organisation")}>Organisation</BarLink>
                <BarLink to="/settings" aria-current={here("/settings")}>Settings</BarLink>
              </Box>
            )}
          </Row>
          <Row gap="1.5">
            {inside && <TenantMenu />}
            <ThemeButton />
            {inside ? <UserMenu /> : <><ButtonLink to="/login" look="quiet">Sign in</ButtonLink><ButtonLink to="/register" look="main">Sign up</ButtonLink></>}
          </Row>
        </Row>
      </Box>
      <OfflineBar />
      <Box id="main" tabIndex={-1} flex="1" outline="none"><Outlet /></Box>
      <Box as="footer" borderTopWidth="1px" borderColor="border">
        <Row maxWidth="1200px" marginInline="auto" paddingInline={{ base: "4", md: "6" }} paddingBlock="4" gap="4" flexWrap="wrap" fontSize="sm" color="fg.muted">
          <Text>Coditect</Text>
          <Link to="/terms">Terms</Link>
          <Link to="/privacy">Privacy</Link>
          <Anchor href="/docs">API</Anchor>
          {inside && <Span marginInlineStart={{ md: "auto" }} display={{ base: "none", md: "inline" }}>Press ? for keys</Span>}
        </Row>
      </Box>
    </Box>
  );
}
