import { codeAt, digitOf, isUpper, isWord } from './characters.ts';
import { isBlank } from './numbers.ts';
import type { Span } from './spans.ts';

/** Length of an IBAN by country or territory, as in the SWIFT registry and the lists of those who use it without registering. */
const LENGTHS: Record<string, number> = Object.fromEntries(
  Object.entries({
    15: 'NO',
    16: 'BE',
    18: 'AX DK FI FK FO GL NL SD',
    19: 'MK SI',
    20: 'AT BA EE KZ LT LU MN XK',
    21: 'CH HR LI LV',
    22: 'BG BH CR DE GB GE IE ME RS VA',
    23: 'AE GI IL IQ OM SO TL',
    24: 'AD CZ ES MD PK RO SA SE SK TN VG',
    25: 'AO CV GW LY MZ PT ST',
    26: 'DZ IR IS TR',
    27: 'BI BL CF CG CM DJ FR GA GF GP GQ GR IT KM MC MF MG MQ MR NC PF PM RE SM TD TF WF YT',
    28: 'AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG',
    29: 'BR EG PS QA UA',
    30: 'JO KW MU YE',
    31: 'MT SC',
    32: 'LC',
    33: 'RU',
  }).flatMap(([length, codes]) => codes.split(' ').map((code) => [code, Number(length)])),
);

/**
 * An IBAN that starts two letters before the digit at `digit`, compact or in groups parted by one blank: known country,
 * its length, remainder 1 modulo 97 (ISO 13616). Null where there is none.
 */
export function ibanAt(text: string, digit: number): Span | null {
  const start = digit - 2;
  if (start < 0 || !isUpper(text.charCodeAt(start)) || !isUpper(text.charCodeAt(start + 1))) return null;
  if (isWord(codeAt(text, start - 1)) || digitOf(codeAt(text, digit + 1)) < 0) return null;
  const length = LENGTHS[text.slice(start, digit)];
  if (length === undefined) return null;
  let value = '';
  let end = start;
  while (value.length < length && end < text.length) {
    const code = text.charCodeAt(end);
    const d = digitOf(code);
    if (d >= 0) value += d;
    else if (isUpper(code)) value += text[end];
    else if (!isBlank(text[end]!) || value.length < 4 || isBlank(text[end - 1]!)) return null;
    end++;
  }
  if (value.length < length || isWord(codeAt(text, end)) || remainder(value) !== 1) return null;
  return { start, end, type: 'IBAN_CODE' };
}

/** The first four characters moved to the end, letters as 10 to 35, modulo 97. */
function remainder(value: string): number {
  let r = 0;
  for (const c of value.slice(4) + value.slice(0, 4)) {
    const n = Number.parseInt(c, 36);
    r = (r * (n > 9 ? 100 : 10) + n) % 97;
  }
  return r;
}
