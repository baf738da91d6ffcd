import { useMemberships, useSwitch } from "@/shared/tenants/queries";
import { roles, tenantName } from "@/shared/tenants/words";
import { planName } from "./plans";
import { Box, Menu, Span, icons } from "./ui";

/** In which organisation one is, for whoever belongs to several. */
export function TenantMenu() {
  const all = useMemberships().data ?? [];
  const go = useSwitch();
  const there = all.filter((one) => one.present || !one.deletes_at);
  const present = all.find((one) => one.present);
  if (there.length < 2 && (there.length === 0 || present)) return null;
  const name = present ? tenantName(present) : "No organisation";
  return (
    <Menu label={`${name}: switch organisation`} look="quiet" busy={go.isPending} entries={there.map((one) => ({
      key: one.tenant, label: `${tenantName(one)}${one.present ? " ✓" : ""}`, note: `${roles[one.role].name} · ${planName(one.plan)} plan`,
      act: () => { if (!one.present) go.mutate(one); },
    }))}>
      {icons.people}
      <Span display={{ base: "none", lg: "inline" }}>{name}</Span>
      <Box display={{ base: "none", sm: "block" }}>{icons.down}</Box>
    </Menu>
  );
}
