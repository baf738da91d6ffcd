import { queryOptions, useQuery } from "@tanstack/react-query";
import { invitations, members } from "@/shared/api/tenants";

export const membersQuery = queryOptions({ queryKey: ["members"], queryFn: members });
export const invitationsQuery = queryOptions({ queryKey: ["invitations"], queryFn: invitations });
export const useMembers = () => useQuery(membersQuery);
