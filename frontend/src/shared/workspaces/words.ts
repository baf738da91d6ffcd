import type { Schemas, Workspace } from "@/shared/api/client";
import type { IconName } from "@/shared/components/ui";
import { clock, sentence } from "@/shared/lib/format";
import type { Tone } from "@/shared/theme/tokens";

type Phase = Schemas["PhaseName"];

/** How each phase is shown: a word, a colour, an icon. */
export const phases: Record<Phase, { word: string; tone: Tone; icon: IconName }> = {
  requested: { word: "Requested", tone: "accent", icon: "moving" },
  committed: { word: "Committed", tone: "accent", icon: "moving" },
  synced: { word: "Synced", tone: "accent", icon: "moving" },
  starting: { word: "Starting", tone: "accent", icon: "moving" },
  ready: { word: "Ready", tone: "good", icon: "ready" },
  suspending: { word: "Stopping", tone: "idle", icon: "moving" },
  suspended: { word: "Suspended", tone: "idle", icon: "asleep" },
  deleting: { word: "Being deleted", tone: "warn", icon: "leaving" },
  failed: { word: "Cannot run", tone: "bad", icon: "failed" },
};

/** Why it stands still. */
const causes: Partial<Record<Schemas["PowerCauseName"], string>> = {
  idle: "Nobody used it, so it went to sleep.",
  hours: "The hours of this month are used up.",
  longest_session: "It ran for long without anybody at it.",
  handed_over: "It was handed over to you and has not been started since.",
  held: "The people who run this installation have stopped it; ask them why.",
  restored: "It was rebuilt from Git; wake it when you like.",
};

/** One plain sentence on where it stands. */
export function standing(workspace: Workspace): string | null {
  if (workspace.phase === "deleting") return workspace.deletes_at ? `It is deleted on ${clock(workspace.deletes_at)}. Until then it can be restored with its files.` : "It is on its way out.";
  if (workspace.phase === "suspended") return ["Files are kept.", causes[workspace.power.cause]].filter(Boolean).join(" ");
  if (workspace.phase === "suspending") return "Everything is being saved. Files are kept.";
  return null;
}

/** Why it or its newest change does not go on, and what can be done. */
export function obstacle(workspace: Workspace): { what: string; now: string } | null {
  const { reason, phase } = workspace;
  if (!reason) return null;
  const begun = phase === "failed" ? "It cannot run" : "Its newest change waits";
  return { what: `${begun}: ${sentence(reason.detail)}`, now: sentence(reason.remedy) };
}

/** How far a change is that people are asked about. */
export const approvals: Record<Schemas["ApprovalState"], { word: string; tone: Tone; icon: IconName }> = {
  waiting: { word: "Waits to be proposed", tone: "accent", icon: "moving" },
  proposed: { word: "Waits for people", tone: "warn", icon: "moving" },
  approved: { word: "Approved", tone: "good", icon: "ready" },
  rejected: { word: "Declined", tone: "bad", icon: "failed" },
  overtaken: { word: "Overtaken", tone: "idle", icon: "asleep" },
};

/** What of the person's wishes waits for people's approval, or was declined, and what holds meanwhile. */
export function awaited({ approval }: Workspace): { what: string; now: string; declined: boolean } | null {
  if (!approval || approval.state === "approved" || approval.state === "overtaken") return null;
  const declined = approval.state === "rejected";
  const asked = approval.reasons.map(sentence).join(" ");
  const stays = approval.first ? "Nothing of yours is set up" : "Everything stays as it is";
  return declined
    ? { what: `This was not approved: ${asked}`, now: `${stays}. Ask for something else, or talk to the people who run this installation.`, declined }
    : { what: `This waits for approval by the people who run this installation: ${asked}`, now: `${stays} until they have decided. Nothing need be done.`, declined };
}

type Notice = Schemas["Notice"];
const until = (notice: Notice, before: string) => (notice.until ? `${before} ${clock(notice.until)}` : "");

/** A notice as a sentence. */
export function told(notice: Notice): string {
  const words: Record<Notice["kind"], string> = {
    idle: `Nobody has used it for a while. It goes to sleep${until(notice, " at")} unless you keep it; its files are kept.`,
    hours: `The hours of this month are nearly used up. It goes to sleep${until(notice, " at") || " then"}; its files are kept.`,
    activity_unknown: "Whether it is used cannot be seen now, so it does not go to sleep for want of use.",
    drift: "Somebody changed it in the cluster by hand. It was put back.",
    quarantined: "The cluster refused its newest version. The last good one stands.",
    restart_pending: `A change waits for its next start${until(notice, ", at the latest")}.`,
    volume_growing: "Its volume grows. You can go on working.",
  };
  return words[notice.kind];
}
