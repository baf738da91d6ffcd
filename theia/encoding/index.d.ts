/** A guess; `encoding` by its name at the IANA, `confidence` from 0 to 1. */
export interface Guess {
    encoding: string;
    confidence: number;
}
export function detect(bytes: Uint8Array): Guess;
