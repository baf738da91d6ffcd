'use strict';

/**
 * What Theia asks jschardet for when a person has switched `files.autoGuessEncoding` on, which is off by default. Marks of byte
 * order are Theia's own business. What is UTF-8 to its last byte is UTF-8: other text is so by chance hardly ever (RFC
 * 3629, section 1). For everything else there is one guess, the one that the WHATWG's encoding standard makes for the web.
 * @param {Uint8Array} bytes the text's beginning
 * @returns {{ encoding: string, confidence: number }}
 */
function detect(bytes) {
  try {
    // A character that is cut off at the end is none that is wrong.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return { encoding: /^[\x00-\x7f]*$/.test(text) ? 'ascii' : 'UTF-8', confidence: 1 };
  } catch {
    return { encoding: 'windows-1252', confidence: 0.5 };
  }
}

module.exports = { detect };
