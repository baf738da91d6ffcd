import { useEffect } from "react";
import { useNavigate } from "react-router";
import type { Workspace } from "@/shared/api/client";
import { BarLink, Box, Button, Menu, Row, Span, Unseen, icons } from "@/shared/components/ui";
import { phases } from "@/shared/workspaces/words";

interface Props {
  open: readonly Workspace[];
  others: readonly Workspace[];
  present: string | undefined;
  onClose: (id: string) => void;
}

/** A tab for each workspace that is open; links, so that each has its address. */
export function TabBar({ open, others, present, onClose }: Props) {
  const navigate = useNavigate();
  useEffect(() => { document.getElementById(`tab-${present ?? ""}`)?.scrollIntoView({ block: "nearest", inline: "nearest" }); }, [present, open.length]);
  return (
    <Box as="nav" aria-label="Open workspaces" display="flex" gap="1" minWidth="0" alignItems="center">
      <Row gap="1" minWidth="0" overflowX="auto" position="relative">
        {open.map(({ id, name, phase }) => (
          <Row key={id} gap="0" flexShrink={0}>
            <BarLink to={`/ide/${id}`} id={`tab-${id}`} aria-current={id === present ? "page" : undefined} display="inline-flex" gap="1.5" alignItems="center">
              <Span maxWidth="12rem" overflow="hidden" textOverflow="ellipsis" whiteSpace="nowrap">{name}</Span>
              <Span color={phases[phase].tone} title={phases[phase].word}>{icons[phases[phase].icon]}<Unseen>{phases[phase].word}</Unseen></Span>
            </BarLink>
            <Button look="quiet" square minHeight="7" width="7" aria-label={`Close the tab of ${name}`} onClick={() => { onClose(id); }}>{icons.close}</Button>
          </Row>
        ))}
      </Row>
      {others.length > 0 && <Menu label="Open another workspace" look="quiet" square entries={others.map(({ id, name }) => ({ label: name, act: () => { void navigate(`/ide/${id}`); } }))}>{icons.plus}</Menu>}
    </Box>
  );
}
