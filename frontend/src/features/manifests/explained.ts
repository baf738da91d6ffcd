/** What each kind of object is for, in words for somebody who has never seen one. */
const words: Record<string, string> = {
  Namespace: "The room that is yours alone: everything below stands in it.",
  ResourceQuota: "How much all your workspaces together may use.",
  LimitRange: "How much one program gets where it does not say itself.",
  ServiceAccount: "Who your workspace is to the cluster. It holds no key of yours.",
  Role: "What that account may see and do.",
  RoleBinding: "Gives the account that role, in your room only.",
  NetworkPolicy: "Who may talk to your workspace, and whom it may talk to.",
  PersistentVolumeClaim: "The volume with your files. It outlives the pod and never shrinks.",
  StatefulSet: "The pod with your editor: one, or none while it sleeps.",
  Service: "The pod's name inside the cluster.",
  Ingress: "The way from your workspace's address to the pod.",
  HTTPRoute: "The way from your workspace's address to the pod.",
};

export const explained = (kind: string) => words[kind] ?? "A part of your workspace.";
