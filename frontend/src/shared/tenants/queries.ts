import { queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { asProblem } from "@/shared/api/problem";
import { memberships, myInvitations, switchTo } from "@/shared/api/tenants";
import { say } from "@/shared/lib/announce";
import { tenantName } from "./words";

export const membershipsQuery = queryOptions({ queryKey: ["memberships"], queryFn: memberships, staleTime: 60_000 });
export const useMemberships = () => useQuery(membershipsQuery);
export const myInvitationsQuery = queryOptions({ queryKey: ["my-invitations"], queryFn: myInvitations, staleTime: 60_000 });

/** Acts in another organisation; everything shown is read anew, here and in the other tabs. */
export function useSwitch() {
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (to: { tenant: string; name?: string | null }) => switchTo(to.tenant),
    onSuccess: async (_done, to) => { await navigate("/dashboard"); say(`You are in ${tenantName(to)} now.`); },
    onError: (error) => { say(asProblem(error).message, "bad"); },
  });
}
