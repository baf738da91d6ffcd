import { Block, Button, CopyButton, Heading, Notice, Row, Stack, Text, icons } from "@/shared/components/ui";
import { keep } from "@/shared/lib/save";

/** The codes, shown this once. Nothing else is offered until the person says that they are kept. */
export function RecoveryCodes({ codes, onKept }: { codes: string[]; onKept: () => void }) {
  const text = codes.join("\n");
  return (
    <Stack gap="4">
      <Notice tone="good"><Text role="status">The second factor is on. Keep these recovery codes where you find them without your phone: each signs you in once, and they are not shown again.</Text></Notice>
      <Stack gap="2" data-print>
        <Heading as="h3" fontSize="md">Recovery codes of Coditect</Heading>
        <Block tabIndex={0} aria-label="Recovery codes" role="group">{text}</Block>
      </Stack>
      <Row flexWrap="wrap">
        <CopyButton text={text} what="recovery codes">Copy</CopyButton>
        <Button onClick={() => { keep("coditect-recovery-codes.txt", new Blob([`Recovery codes of Coditect, ${location.host}. Each signs in once.\n\n${text}\n`], { type: "text/plain" })); }}>{icons.download}Download</Button>
        <Button onClick={() => { print(); }}>Print</Button>
        <Button look="main" onClick={onKept}>I have kept them</Button>
      </Row>
    </Stack>
  );
}
