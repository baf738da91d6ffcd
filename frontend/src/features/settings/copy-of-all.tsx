import { useEffect, useRef, useState } from "react";
import { streamed } from "@/shared/api/client";
import { Problem } from "@/shared/api/problem";
import { ProblemView } from "@/shared/components/problem-view";
import { Button, Notice, Row, Stack, Text, icons } from "@/shared/components/ui";
import { bytes } from "@/shared/lib/format";
import { pour, sink } from "@/shared/lib/save";

type Way = { step: "idle" } | { step: "asked" } | { step: "coming"; bytes: number } | { step: "there"; bytes: number } | { step: "failed"; error: unknown };

const over = (error: unknown) => (error instanceof Problem ? error : new Problem(0, null, error));

/** Everything that is held of the person, as a file. */
export function CopyOfAll() {
  const [way, setWay] = useState<Way>({ step: "idle" });
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => { stop.current?.abort(); }, []);
  const run = async () => {
    const name = `coditect-${new Date().toISOString().slice(0, 10)}.tar.gz`;
    const to = await sink(name, "application/gzip");
    if (!to) return;
    const giveUp = new AbortController();
    stop.current = giveUp;
    setWay({ step: "asked" });
    let came = 0;
    try {
      const { body } = await streamed("/api/v5/me/export", giveUp.signal).catch(async (error: unknown) => { await to.drop().catch(() => undefined); throw error; });
      if (!body) throw new TypeError("nothing came");
      await pour(body, to, (now) => { came = now; setWay({ step: "coming", bytes: now }); });
      setWay({ step: "there", bytes: came });
    } catch (error) {
      setWay(giveUp.signal.aborted ? { step: "idle" } : { step: "failed", error: over(error) });
    }
  };
  const busy = way.step === "asked" || way.step === "coming";
  return (
    <Stack gap="3">
      {way.step === "failed" && (way.error instanceof Problem && way.error.status > 0
        ? <ProblemView error={way.error} />
        : <Notice tone="bad" role="alert"><Text>The file broke off on its way, and what came of it is of no use. Begin it again.</Text></Notice>)}
      <Row flexWrap="wrap" gap="3">
        <Button busy={busy} onClick={() => { void run(); }}>{icons.download}Download everything</Button>
        {busy && <Button look="quiet" onClick={() => { stop.current?.abort(); }}>Stop it</Button>}
        <Text small quiet role="status">
          {way.step === "asked" && "Being gathered…"}
          {way.step === "coming" && `${bytes(way.bytes)} so far…`}
          {way.step === "there" && `Done: ${bytes(way.bytes)}.`}
        </Text>
      </Row>
      <Text small quiet>A gzipped tar archive of JSON files; its README.txt says what is there and what is not. Your workspaces' files are on their volumes and not in it.</Text>
    </Stack>
  );
}
