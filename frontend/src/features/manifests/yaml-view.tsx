import { useEffect, useState } from "react";
import { useLocation } from "react-router";
import { Anchor, Block, Box, Copyable, Fold, Span, Summary, Text } from "@/shared/components/ui";

/** YAML that folds, with numbered lines that can be linked to. */
export function YamlView({ title, about, yaml, id }: { title: string; about: string; yaml: string; id: string }) {
  const { hash } = useLocation();
  const [open, setOpen] = useState(hash.startsWith(`#${id}-L`));
  // The lines were not there yet when the browser looked for the one in the address.
  useEffect(() => { if (hash.startsWith(`#${id}-L`)) document.getElementById(hash.slice(1))?.scrollIntoView({ block: "center" }); }, [hash, id]);
  return (
    <Fold open={open} onToggle={(event) => { setOpen(event.currentTarget.open); }} borderWidth="1px" borderColor="border" borderRadius="md">
      <Summary padding="3"><Span fontWeight="medium">{title}</Span><Text quiet small>{about}</Text></Summary>
      <Box padding="3" paddingTop="0">
        <Copyable text={yaml} shown="" what={`YAML of ${title}`} />
        <Block tabIndex={0} role="group" aria-label={`YAML of ${title}`}>
          {yaml.trimEnd().split("\n").map((line, at) => {
            const anchor = `${id}-L${at + 1}`;
            return <Box key={anchor} id={anchor} bg={hash === `#${anchor}` ? "accent.subtle" : "transparent"}><Anchor href={`#${anchor}`} aria-label={`Line ${at + 1}`} color="fg.muted" textDecoration="none" display="inline-block" width="3.5ch" userSelect="none">{at + 1}</Anchor>{line}</Box>;
          })}
        </Block>
      </Box>
    </Fold>
  );
}
