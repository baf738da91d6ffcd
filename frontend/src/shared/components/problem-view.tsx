import { asProblem, remedy } from "@/shared/api/problem";
import { Button, Copyable, Notice, Row, Stack, Text } from "./ui";

/** An error: what, why, what now; the request id to copy. */
export function ProblemView({ error, again }: { error: unknown; again?: () => void }) {
  const problem = asProblem(error);
  const now = remedy(problem);
  return (
    <Notice tone="bad" role="alert" action={again && <Button onClick={again}>Try again</Button>}>
      <Stack gap="1">
        <Text>{problem.message}{now && ` ${now}`}</Text>
        {problem.body.request_id && <Row gap="1" color="fg.muted" fontSize="sm">Request <Copyable text={problem.body.request_id} what="request id" /></Row>}
      </Stack>
    </Notice>
  );
}
