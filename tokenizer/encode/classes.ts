/** Bits of a code point's class. UPPER_SIDE and LOWER_SIDE are the two letter sets of the o200k split; they overlap. */
export const WHITE_SPACE = 1;
export const LETTER = 2;
export const NUMBER = 4;
/** \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M} */
export const UPPER_SIDE = 8;
/** \p{Ll}\p{Lm}\p{Lo}\p{M} */
export const LOWER_SIDE = 16;
export const MARK = 32;

const SETS: readonly [RegExp, number][] = [
  [/\p{White_Space}+/gu, WHITE_SPACE],
  [/\p{L}+/gu, LETTER],
  [/\p{N}+/gu, NUMBER],
  [/[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+/gu, UPPER_SIDE],
  [/[\p{Ll}\p{Lm}\p{Lo}\p{M}]+/gu, LOWER_SIDE],
  [/\p{M}+/gu, MARK],
];

/** Planes that hold letters, marks, numbers or spaces; the others are unassigned or private (checked by a test). */
const PLANES = [0, 1, 2, 3, 14];

/** Class bits of every code point in two levels: `classes[blocks[c >> 8] * 256 + (c & 255)]`. */
export interface ClassTable {
  /** [0x1100], one a block of 256 code points. Block 0 is entry 0, so that ASCII needs no first level. */
  blocks: Uint16Array;
  /** [number of distinct blocks × 256] */
  classes: Uint8Array;
}

let table: ClassTable | undefined;

/** The class table of this Node's Unicode version: made from its own \p{…} classes, so that no second copy can differ. */
export const classTable = (): ClassTable => (table ??= compress(classBytes()));

/** One byte a code point [0x110000]. */
export function classBytes(): Uint8Array {
  const bytes = new Uint8Array(0x110000);
  for (const plane of PLANES) {
    const { text, start } = planeText(plane);
    for (const [set, bit] of SETS) {
      for (const match of text.matchAll(set)) {
        const from = start(match.index);
        const to = start(match.index + match[0].length);
        for (let c = from; c < to; c++) bytes[c]! |= bit;
      }
    }
  }
  return bytes;
}

/** All code points of a plane in a row, the surrogates left out (a placeholder keeps their places). */
function planeText(plane: number): { text: string; start: (index: number) => number } {
  const first = plane * 0x10000;
  const units = new Uint16Array(plane === 0 ? 0x10000 : 0x20000);
  if (plane === 0) {
    for (let c = 0; c < 0x10000; c++) units[c] = c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
  } else {
    for (let c = 0; c < 0x10000; c++) {
      const offset = first + c - 0x10000;
      units[2 * c] = 0xd800 + (offset >> 10);
      units[2 * c + 1] = 0xdc00 + (offset & 0x3ff);
    }
  }
  const text = Buffer.from(units.buffer).toString('utf16le');
  return { text, start: (index) => first + (plane === 0 ? index : index / 2) };
}

function compress(bytes: Uint8Array): ClassTable {
  const blocks = new Uint16Array(0x1100);
  const seen = new Map<string, number>();
  const kept: Uint8Array[] = [];
  for (let block = 0; block < 0x1100; block++) {
    const part = bytes.subarray(block * 256, block * 256 + 256);
    const key = Buffer.from(part).toString('latin1');
    let at = seen.get(key);
    if (at === undefined) {
      at = kept.push(part) - 1;
      seen.set(key, at);
    }
    blocks[block] = at;
  }
  return { blocks, classes: Uint8Array.from(Buffer.concat(kept)) };
}
