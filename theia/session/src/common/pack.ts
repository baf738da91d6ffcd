/**
 * Makes text small enough to be shared: the gateway keeps 32 KiB of a session, and a workbench's layout alone may be
 * twice that as JSON.
 */

/** Longest text that is unpacked, in characters: who writes the state may be a hostile page. */
const LONGEST = 4 * 1024 * 1024;

/** Text as raw deflate (RFC 1951) in base64. */
export async function pack(text: string): Promise<string> {
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw'));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    let binary = '';
    for (let at = 0; at < bytes.length; at += 8192) {
        binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return btoa(binary);
}

/** The text again; none if it is not what `pack` makes, or too long. */
export async function unpack(packed: string): Promise<string | undefined> {
    try {
        const bytes = Uint8Array.from(atob(packed), character => character.charCodeAt(0));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
        const decoder = new TextDecoder('utf-8', { fatal: true });
        let text = '';
        const reader = stream.getReader();
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            text += decoder.decode(part.value, { stream: true });
            if (text.length > LONGEST) {
                await reader.cancel();
                return undefined;
            }
        }
        return text + decoder.decode();
    } catch {
        return undefined;
    }
}
