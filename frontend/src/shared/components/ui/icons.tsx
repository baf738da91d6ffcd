import type { ReactNode } from "react";

/** Icons of our own: a dozen lines weigh less than a library of them. Never the only bearer of a meaning. */
function Icon({ children, fill }: { children: ReactNode; fill?: boolean }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill={fill ? "currentColor" : "none"} stroke={fill ? "none" : "currentColor"} strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const icons = {
  ready: <Icon fill><circle cx="8" cy="8" r="5" /></Icon>,
  moving: <Icon><circle cx="8" cy="8" r="5" strokeOpacity="0.35" /><path d="M8 3a5 5 0 0 1 5 5" strokeWidth="2.2" /></Icon>,
  ahead: <Icon><circle cx="8" cy="8" r="4.2" strokeWidth="1.2" /></Icon>,
  asleep: <Icon><circle cx="8" cy="8" r="5" /><path d="M8 3a5 5 0 0 1 0 10z" fill="currentColor" /></Icon>,
  failed: <Icon><path d="M8 2.2 14.5 13.5h-13zM8 6.5v3M8 11.6v.1" /></Icon>,
  leaving: <Icon><path d="M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.6 9h5.8l.6-9" /></Icon>,
  done: <Icon><path d="m3.5 8.5 3 3 6-7" /></Icon>,
  info: <Icon><circle cx="8" cy="8" r="6" /><path d="M8 7.3v3.4M8 5.1v.1" /></Icon>,
  plus: <Icon><path d="M8 3v10M3 8h10" /></Icon>,
  more: <Icon fill><circle cx="3" cy="8" r="1.4" /><circle cx="8" cy="8" r="1.4" /><circle cx="13" cy="8" r="1.4" /></Icon>,
  close: <Icon><path d="m4 4 8 8M12 4l-8 8" /></Icon>,
  theme: <Icon><circle cx="8" cy="8" r="5.5" /><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" /></Icon>,
  user: <Icon><circle cx="8" cy="5.5" r="2.7" /><path d="M2.8 13.6a5.3 5.3 0 0 1 10.4 0" /></Icon>,
  down: <Icon><path d="m4 6 4 4 4-4" /></Icon>,
  search: <Icon><circle cx="7" cy="7" r="4.5" /><path d="m10.5 10.5 3 3" /></Icon>,
  copy: <Icon><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 5.5v-3h-8v8h3" /></Icon>,
  files: <Icon><path d="M2 4h4.5l1.5 1.7h6v7.3H2z" /></Icon>,
  chat: <Icon><path d="M2.5 3.5h11v7.5H8l-3 2.5V11H2.5z" /></Icon>,
  gear: <Icon><circle cx="8" cy="8" r="2.2" /><path d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4" /></Icon>,
  key: <Icon><circle cx="5.2" cy="10.8" r="2.7" /><path d="m7.2 8.8 5.6-5.6M10.3 5.7l2 2" /></Icon>,
  download: <Icon><path d="M8 2.5v7.5M5 7l3 3 3-3M2.8 13.2h10.4" /></Icon>,
  people: <Icon><circle cx="6" cy="5.7" r="2.3" /><path d="M1.8 13a4.3 4.3 0 0 1 8.4 0M10.6 3.6a2.3 2.3 0 0 1 0 4.2M12 9.6a4.3 4.3 0 0 1 2.3 3.4" /></Icon>,
  git: <Icon><circle cx="8" cy="8" r="2.6" /><path d="M1.5 8h3.9M10.6 8h3.9" /></Icon>,
  offline: <Icon><path d="M2 6a9 9 0 0 1 12 0M4.3 8.6a5.6 5.6 0 0 1 7.4 0M8 12v.1M2.5 2.5l11 11" /></Icon>,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof icons;
