import type { Plan } from "@/shared/api/client";
import { count, minutes, number, price } from "@/shared/lib/format";
import { Item, List } from "./ui";

/** What a plan holds, a line each. */
export function PlanLines({ plan }: { plan: Plan }) {
  const { limits } = plan;
  const lines = [
    `${number(limits.hours_per_month)} hours a month`,
    `${number(limits.storage_gib)} Gi for each workspace`,
    count(limits.workspaces, "workspace"),
    `${number(limits.llm_requests_per_month)} LLM requests a month`,
    `${number(limits.cpu_millis / 1000)} CPU, ${number(limits.memory_mib / 1024)} Gi memory`,
    `Sleeps after ${minutes(limits.idle_minutes)} without use`,
  ];
  return <List display="grid" gap="1" fontSize="sm">{lines.map((line) => <Item key={line}>{line}</Item>)}</List>;
}

export const planName = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
export const planPrice = (plan: Plan) => `${price(plan.price_cents_per_month)} a month`;
