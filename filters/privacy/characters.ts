// Classes of UTF-16 code units. Regular borders (\b) are wrong here: beside a Chinese character there is a border.

/** The value of an ASCII or full-width digit, else -1. */
export function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0xff10 && code <= 0xff19 ? code - 0xff10 : -1;
}

/** ASCII letters. */
export const isLetter = (code: number): boolean => (code | 32) >= 97 && (code | 32) <= 122;

/** An ASCII capital. */
export const isUpper = (code: number): boolean => code >= 65 && code <= 90;

/** ASCII letters, digits and the underscore: what may not stand beside a number that is a value of its own. */
export const isWord = (code: number): boolean => isLetter(code) || digitOf(code) >= 0 || code === 0x5f;

/** Letters with marks of the Latin script, U+00C0 to U+024F. */
export const isLatinLetter = (code: number): boolean => code >= 0xc0 && code <= 0x24f && code !== 0xd7 && code !== 0xf7;

/** The code unit at an index, or 0 outside the text. */
export const codeAt = (text: string, index: number): number =>
  index >= 0 && index < text.length ? text.charCodeAt(index) : 0;

/** The digits of a stretch as ASCII; other characters are left out. */
export function digitsOf(text: string, start: number, end: number): string {
  let digits = '';
  for (let i = start; i < end; i++) {
    const d = digitOf(text.charCodeAt(i));
    if (d >= 0) digits += d;
  }
  return digits;
}
