const KEY = "coditect.invitation";

/** The code of a letter's link, or of a link that was handed on: what stands behind `#code=`, or the code itself. */
export function codeIn(text: string): string | null {
  const trimmed = text.trim();
  const code = trimmed.includes("#") ? new URLSearchParams(trimmed.slice(trimmed.indexOf("#") + 1)).get("code") : trimmed;
  return code !== null && /^[\w-]{36}\.[\w-]{20,64}$/.test(code) ? code : null;
}

/** Which invitation it is of. */
export const invitationOf = (code: string) => code.slice(0, 36);

/** Keeps the code in this tab while its person signs in; false where the browser keeps nothing. */
export function remember(code: string): boolean {
  try {
    sessionStorage.setItem(KEY, code);
    return true;
  } catch {
    return false;
  }
}

export function remembered(): string | null {
  try {
    return codeIn(sessionStorage.getItem(KEY) ?? "");
  } catch {
    return null;
  }
}

export function forget(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}
