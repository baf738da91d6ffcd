import { LegalText, Part } from "./text";

export function Page() {
  return (
    <LegalText title="Privacy">
      <Part title="What is kept of you">Your e-mail address, the name you chose, a hash of your password, your workspaces and their names, when they ran, and versions of the files you change.</Part>
      <Part title="What is not">Git holds no e-mail, no name and no token: only random ids. Logs hold ids and addresses of routes, no contents. Network addresses in the audit log go after 30 days.</Part>
      <Part title="Cookies">One cookie keeps you signed in; scripts cannot read it. A workspace has one of its own, for its own address. There are no others, and nobody else's.</Part>
      <Part title="In your browser">The theme you chose and which tabs are open. No token is stored.</Part>
      <Part title="Your rights">You can see, correct and take out what is kept of you, and have it erased. Erasure takes everything but what the law requires to be kept.</Part>
    </LegalText>
  );
}
