import type { ReactNode } from "react";
import { Heading, Main, Section, Stack, Text, Title } from "@/shared/components/ui";
import { TERMS_VERSION } from "@/shared/terms";

export function LegalText({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Main maxWidth="720px">
      <Stack gap="6">
        <Stack gap="1"><Title>{title}</Title><Text quiet small>Version {TERMS_VERSION}</Text></Stack>
        {children}
      </Stack>
    </Main>
  );
}

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return <Section><Heading marginBottom="1.5">{title}</Heading><Text>{children}</Text></Section>;
}
