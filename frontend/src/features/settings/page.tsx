import { useParams } from "react-router";
import { BarLink, Box, Main, Stack, Title } from "@/shared/components/ui";
import { Account } from "./account";
import { ApiKeys } from "./api-keys";
import { Connections } from "./connections";
import { DataPart } from "./data";
import { SignIns } from "./sign-ins";
import { FilesHistory } from "./files-history";
import { PasswordPart } from "./password";
import { Profile } from "./profile";
import { SecondFactorPart } from "./second-factor";
import { ThemePart } from "./theme";

const parts = [
  ["profile", "Profile", Profile], ["password", "Password", PasswordPart], ["second-factor", "Second factor", SecondFactorPart], ["sign-ins", "Sign-ins", SignIns], ["api-keys", "API keys", ApiKeys],
  ["connections", "Connections", Connections], ["theme", "Theme", ThemePart], ["files", "Files' history", FilesHistory], ["data", "Your data", DataPart], ["account", "Erase account", Account],
] as const;

export function Page() {
  const wanted = useParams()["part"] ?? "profile";
  const [name, , Part] = parts.find(([one]) => one === wanted) ?? parts[0];
  return (
    <Main>
      <Title marginBottom="5">Settings</Title>
      <Box display="grid" gridTemplateColumns={{ base: "minmax(0, 1fr)", md: "180px minmax(0, 1fr)" }} gap={{ base: "5", md: "10" }} alignItems="start">
        <Box as="nav" aria-label="Settings" display="flex" flexDirection={{ base: "row", md: "column" }} flexWrap="wrap" gap="1">
          {parts.map(([path, text]) => <BarLink key={path} to={`/settings/${path}`} aria-current={path === name ? "page" : undefined}>{text}</BarLink>)}
        </Box>
        <Stack maxWidth={name === "files" ? "840px" : "560px"} gap="5"><Part /></Stack>
      </Box>
    </Main>
  );
}
