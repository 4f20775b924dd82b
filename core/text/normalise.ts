/** What a code point is to the shingler. The numbers are shared with shingles.c. */
export const CLASS = { space: 0, ideograph: 1, word: 2, visible: 3, ignorable: 4, apostrophe: 5 } as const;

const CODE_POINTS = 0x110000;
const IDEOGRAPH = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+`;
const WORD = String.raw`[\p{L}\p{N}\p{M}_]+`;
const IGNORABLE = String.raw`\p{Default_Ignorable_Code_Point}+`;
const LETTER = String.raw`[\p{L}\p{N}\p{M}]+`;

/** Where characters are assigned at all: planes 0 to 3 and 14. Elsewhere (private use, unassigned) nothing matches. */
const PLANES = [
  [0, 0x3ffff],
  [0xe0000, 0xeffff],
] as const;

/** Calls `visit(first, end)` for each run of code points that the pattern matches, in this Node's Unicode tables. */
function runsOf(pattern: string, visit: (first: number, end: number) => void): void {
  for (const [low, high] of PLANES) {
    for (let start = low; start <= high; start += 0x4000) {
      const codes: number[] = [];
      for (let c = start; c < start + 0x4000; c++) if (c < 0xd800 || c > 0xdfff) codes.push(c);
      if (codes.length === 0) continue;
      const text = String.fromCodePoint(...codes);
      for (const { 0: run, index } of text.matchAll(new RegExp(pattern, 'gu'))) {
        const first = text.codePointAt(index)!;
        visit(first, first + [...run].length);
      }
    }
  }
}

let plain: Uint8Array | undefined;
let normalised: Uint8Array | undefined;
let letters: Uint8Array | undefined;

/** Class of each code point for text as it is: `[H]|(?:(?![H])[\p{L}\p{N}\p{M}_])+|[^\s]` with H = Han, Hiragana, Katakana. */
export function plainClasses(): Uint8Array {
  if (plain) return plain;
  plain = new Uint8Array(CODE_POINTS).fill(CLASS.visible);
  const classes = plain;
  runsOf(String.raw`\s+`, (first, end) => classes.fill(CLASS.space, first, end));
  runsOf(WORD, (first, end) => classes.fill(CLASS.word, first, end));
  runsOf(IDEOGRAPH, (first, end) => classes.fill(CLASS.ideograph, first, end));
  return plain;
}

/**
 * Class of each code point for normalised text: what nobody sees is passed over, an apostrophe between letters too
 * (`don't` = `dont`), and everything that is neither letter, number nor mark parts words as a space does.
 */
export function normalisedClasses(): Uint8Array {
  if (normalised) return normalised;
  normalised = plainClasses().map((c) => (c === CLASS.visible ? CLASS.space : c));
  const classes = normalised;
  runsOf(IGNORABLE, (first, end) => classes.fill(CLASS.ignorable, first, end));
  for (const c of [0x27, 0x2019]) classes[c] = CLASS.apostrophe;
  return normalised;
}

/** 1 for each code point that is a letter, number or mark and that people see; 0 for all others. */
export function letterClasses(): Uint8Array {
  if (letters) return letters;
  letters = new Uint8Array(CODE_POINTS);
  const classes = letters;
  runsOf(LETTER, (first, end) => classes.fill(1, first, end));
  runsOf(IGNORABLE, (first, end) => classes.fill(0, first, end));
  return letters;
}

/** Longer texts are normalised in pieces [UTF-16 code units]: NFKC can make a text 18 times as long. */
const PIECE = 1 << 20;

/**
 * A text in pieces that can be normalised one by one: cut before an ASCII character, which composes with nothing before
 * it, where one is near; never inside a surrogate pair.
 */
export function* pieces(text: string, size = PIECE): Generator<string> {
  let start = 0;
  while (text.length - start > size) {
    let end = start + size;
    const least = end - Math.min(size >> 1, 1 << 12);
    let cut = end;
    while (cut > least && text.charCodeAt(cut) > 0x7f) cut--;
    if (cut > least) end = cut;
    else if (/^[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(end - 1, end + 1))) end--;
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

/** One spelling for what reads the same: NFKC, lower case, and both sigmas of a Greek word's end. Any string goes in. */
export const normalise = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll('\u03C2', '\u03C3');
