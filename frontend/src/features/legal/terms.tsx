import { LegalText, Part } from "./text";

export function Page() {
  return (
    <LegalText title="Terms">
      <Part title="What you get">A workspace: an editor, a terminal and a volume, within the limits of your plan. It sleeps when it is not used, and its files are kept.</Part>
      <Part title="What is yours">Your files and what you write are yours. They are used to run the workspace for you and for nothing else.</Part>
      <Part title="What is not allowed">Attacking others, sending unwanted mail, mining, and whatever the law forbids. A workspace that does so is stopped; you are told why.</Part>
      <Part title="Limits">At a limit you are told, then the workspace sleeps. Nothing is deleted because a limit is reached.</Part>
      <Part title="Leaving">You can delete your account at any time, at once or after a grace period during which you can change your mind. What the law requires to be kept, such as invoices, is kept as long as it requires.</Part>
      <Part title="Who offers it">The operator of this installation offers it under these terms. Whoever runs one replaces this text by their own and raises its version.</Part>
    </LegalText>
  );
}
