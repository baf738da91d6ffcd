import { chakra } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { Stack } from "./layout";
import { Heading, Text } from "./text";

export const Card = chakra("section", { base: { bg: "bg.panel", borderWidth: "1px", borderColor: "border", borderRadius: "lg", padding: { base: "4", md: "5" }, minWidth: 0 } });

/** Nothing here yet: a sentence and one thing to do. */
export function Empty({ title, text, action, heading = "h2" }: { title: string; text: string; action?: ReactNode; heading?: "h1" | "h2" }) {
  return (
    <Stack alignItems="flex-start" borderWidth="1px" borderStyle="dashed" borderColor="border.strong" borderRadius="lg" padding="6" gap="2">
      <Heading as={heading}>{title}</Heading>
      <Text quiet maxWidth="60ch">{text}</Text>
      {action && <Stack marginTop="2">{action}</Stack>}
    </Stack>
  );
}
