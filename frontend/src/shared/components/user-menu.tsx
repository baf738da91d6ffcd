import { useNavigate } from "react-router";
import { asProblem } from "@/shared/api/problem";
import { say } from "@/shared/lib/announce";
import { administers } from "@/shared/session/administers";
import { signOut } from "@/shared/session/session";
import { useMe } from "@/shared/workspaces/queries";
import { Box, Menu, Span, icons } from "./ui";

export function UserMenu() {
  const me = useMe().data;
  const navigate = useNavigate();
  const leave = () => {
    signOut().then(() => { void navigate("/"); say("Signed out."); }, (error: unknown) => { say(asProblem(error).message, "bad"); });
  };
  return (
    <Menu label={me ? `Account of ${me.display_name}` : "Account"} look="quiet" entries={[
      { label: "Dashboard", to: "/dashboard" },
      { label: "Settings", to: "/settings" },
      { label: "Billing", to: "/billing" },
      { label: "Organisation", to: "/organisation" },
      ...(administers() ? [{ label: "Administration", to: "/admin" }] : []),
      { label: "Sign out", act: leave },
    ]}>
      {icons.user}
      <Span display={{ base: "none", sm: "inline" }} maxWidth="10rem" overflow="hidden" textOverflow="ellipsis">{me?.display_name ?? "Account"}</Span>
      <Box display={{ base: "none", sm: "block" }}>{icons.down}</Box>
    </Menu>
  );
}
