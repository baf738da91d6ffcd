import type { ReactNode } from "react";
import { Card, Main, Stack, Text, Title } from "@/shared/components/ui";

/** A page with one form. */
export function Door({ title, children, below }: { title: string; children: ReactNode; below?: ReactNode }) {
  return (
    <Main maxWidth="440px" paddingBlock={{ base: "8", md: "16" }}>
      <Stack gap="5">
        <Title>{title}</Title>
        <Card>{children}</Card>
        {below && <Text quiet small>{below}</Text>}
      </Stack>
    </Main>
  );
}
