import { createHash } from 'node:crypto';
import { pieces } from '../../core/text/normalise.ts';
import { createLetters } from '../../core/text/shingles.ts';

/** Texts with fewer letters than this are equal only with their punctuation: "1.2" is not "12". [UTF-16 code units] */
const LEAST_LETTERS = 32;

/**
 * Makes the function from a text to its fingerprint, 32 hexadecimal digits: the first half of SHA-256 over the letters,
 * numbers and marks of the normalised text. So texts are exact duplicates that differ in nothing but case, width, Unicode
 * form, invisible characters, white space and punctuation. Of short texts only white space and form are ignored.
 */
export function createFingerprint(): (text: string) => string {
  const letters = createLetters();
  return (text) => {
    const hash = createHash('sha256');
    let total = 0;
    for (const piece of pieces(text)) {
      const kept = letters(piece);
      total += kept.length;
      hash.update(new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength));
    }
    if (total >= LEAST_LETTERS) return hash.digest('hex').slice(0, 32);
    const strict = createHash('sha256').update('short\0');
    for (const piece of pieces(text.trim()))
      strict.update(Buffer.from(piece.normalize('NFKC').replaceAll(/\s+/g, ' '), 'utf16le'));
    return strict.digest('hex').slice(0, 32);
  };
}
