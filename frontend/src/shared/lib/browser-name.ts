/** First that fits wins: all but Firefox call themselves Safari too, and Edge and Opera call themselves Chrome. */
const browsers: [RegExp, string][] = [[/\bEdgA?\//, "Edge"], [/\bOPR\//, "Opera"], [/\b(Firefox|FxiOS)\//, "Firefox"], [/\b(Chrome|CriOS)\//, "Chrome"], [/\bSafari\//, "Safari"]];
const systems: [RegExp, string][] = [[/\bAndroid\b/, "Android"], [/\b(iPhone|iPad)\b/, "iOS"], [/\bWindows\b/, "Windows"], [/\bMac OS X\b/, "macOS"], [/\bCrOS\b/, "ChromeOS"], [/\bLinux\b/, "Linux"]];

/** What a program that signed in calls itself, as people say it: `Firefox on Linux`. What is not known is shown as it is. */
export function browserName(agent: string): string {
  const browser = browsers.find(([mark]) => mark.test(agent))?.[1];
  const system = systems.find(([mark]) => mark.test(agent))?.[1];
  if (browser) return system ? `${browser} on ${system}` : browser;
  return agent || "A program that did not say its name";
}
