import { readFileSync } from 'node:fs';
import { asset } from '../root.ts';
import { BASIC, WHITE } from './characters.ts';
import { hashOf, LONGEST, openChunkMemory, type ChunkMemory } from './chunk-memory.ts';
import { infixLength, isElision, prefixLength, STYLES, suffixLength, type Style } from './spacy-affixes.ts';
import { isUrl } from './spacy-url.ts';
import { codeUnits, emptySpans, pushSpan, type Spans } from './units.ts';

const SPACE = 0x20;

/** A tokenizer by spaCy's rules: tokens in order, white space between them only as tokens where spaCy has such. */
export type Tokenize = (text: string, units: Uint16Array) => Spans;

interface Rules {
  style: Style;
  /** Chunks with a cut of their own. */
  special: ChunkMemory;
  longestSpecial: number;
  /** Special chunks that the rules would cut, as the rules cut them: put together again where they stand in a row. */
  sequences: Map<string, { tokens: readonly string[]; special: number }[]>;
}

const opened = new Map<Style, Tokenize>();

/**
 * Tokens as spaCy's rules cut them (its Tokenizer with the exceptions, affixes and URL rule of English, the affixes of
 * German, Spanish and French in the main, or those of no language; version 3.8, MIT). Text is cut at white space; each chunk loses prefixes and suffixes until it is a special case, a URL, or
 * is cut at infixes. A chunk of n characters takes O(n).
 */
export function spacyTokenizer(language: string): Tokenize {
  const style = Object.hasOwn(STYLES, language) ? STYLES[language as keyof typeof STYLES] : STYLES.xx;
  let tokenize = opened.get(style);
  if (!tokenize) opened.set(style, (tokenize = open(style)));
  return tokenize;
}

function open(style: Style): Tokenize {
  const rules = loadRules(style);
  const memory = openChunkMemory();
  const ends: number[] = [];
  return (text, units) => {
    const tokens = emptySpans(units.length / 5);
    const end = units.length;
    let i = 0;
    while (i < end) {
      const start = i;
      if (BASIC[units[i]!]! & WHITE) {
        while (i < end && BASIC[units[i]!]! & WHITE) i++;
        // One space is what separates tokens; what stands beyond it is a token.
        const from = units[start] === SPACE && start > 0 ? start + 1 : start;
        if (from < i) pushSpan(tokens, from, i);
        continue;
      }
      let hash = 0;
      while (i < end && !(BASIC[units[i]!]! & WHITE)) hash = (Math.imul(hash, 31) + units[i++]!) | 0;
      const known = i - start <= LONGEST ? memory.find(units, start, i, hash) : -1;
      let from = start;
      if (known >= 0) {
        for (let k = memory.first[known]!; k < memory.first[known + 1]!; k++) {
          const to = start + memory.ends[k]!;
          pushSpan(tokens, from, to);
          from = to;
        }
        continue;
      }
      ends.length = 0;
      cutChunk(rules, text, units, start, i, ends);
      for (const to of ends) {
        pushSpan(tokens, from, to);
        from = to;
      }
      memory.add(units, start, i, hash, ends);
    }
    return tokens;
  };
}

/** Appends the ends of a chunk's tokens. */
function cutChunk(rules: Rules, text: string, units: Uint16Array, start: number, end: number, ends: number[]): void {
  const special = specialAt(rules, units, start, end);
  if (special >= 0) {
    pushSpecial(rules, ends, start, special);
    return;
  }
  // Plain letters have no affix: most chunks that were not met before end here.
  let i = start;
  while (i < end && isAsciiLetter(units[i]!)) i++;
  if (i === end) {
    ends.push(end);
    return;
  }
  cutAffixes(rules, units, start, end, ends, true);
  if (ends.length > 1) joinSequences(rules, text, start, ends);
}

const isAsciiLetter = (unit: number): boolean => (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;

/** The entry of a special case, or -1. */
const specialAt = ({ special, longestSpecial }: Rules, units: Uint16Array, start: number, end: number): number =>
  end - start > longestSpecial ? -1 : special.find(units, start, end, hashOf(units, start, end));

function pushSpecial({ special }: Rules, ends: number[], start: number, entry: number): void {
  for (let k = special.first[entry]!; k < special.first[entry + 1]!; k++) ends.push(start + special.ends[k]!);
}

/** spaCy's _split_affixes and _attach_tokens. */
function cutAffixes(
  rules: Rules,
  units: Uint16Array,
  start: number,
  end: number,
  ends: number[],
  withSpecials: boolean,
): void {
  const isSpecial = (from: number, to: number) => withSpecials && from < to && specialAt(rules, units, from, to) >= 0;
  const suffixes: number[] = [];
  let a = start;
  let b = end;
  while (a < b && !isSpecial(a, b)) {
    const prefix = prefixLength(units, a, b, rules.style);
    if (prefix > 0 && isSpecial(a + prefix, b)) {
      ends.push((a += prefix));
      break;
    }
    const suffix = suffixLength(units, a + prefix, b, rules.style);
    if (suffix > 0 && isSpecial(a, b - suffix)) {
      suffixes.push(b);
      b -= suffix;
      break;
    }
    if (prefix === 0 && suffix === 0) break;
    if (prefix > 0) ends.push((a += prefix));
    if (suffix > 0) {
      suffixes.push(b);
      b -= suffix;
    }
  }
  if (a < b) {
    const special = withSpecials ? specialAt(rules, units, a, b) : -1;
    if (special >= 0) pushSpecial(rules, ends, a, special);
    else if (isUrl(units, a, b)) ends.push(b);
    else cutInfixes(units, a, b, rules.style, ends);
  }
  for (let i = suffixes.length - 1; i >= 0; i--) ends.push(suffixes[i]!);
}

function cutInfixes(units: Uint16Array, start: number, end: number, style: Style, ends: number[]): void {
  let from = start;
  for (let i = start; i < end;) {
    if (style.french && i > from && isElision(units, start, i, end)) ends.push((from = i));
    const length = infixLength(units, start, i, end, style);
    if (length === 0) {
      i++;
      continue;
    }
    if (i > start) {
      if (i > from) ends.push(i);
      ends.push((from = i + length));
    }
    i += length;
  }
  if (from < end) ends.push(end);
}

/** Special cases that the affixes have torn: `:` and `)` in a row become `:)`. Longest first, then leftmost; none twice. */
function joinSequences(rules: Rules, text: string, start: number, ends: number[]): void {
  const tokens = ends.map((to, i) => text.slice(i === 0 ? start : ends[i - 1]!, to));
  const found: { at: number; length: number; special: number }[] = [];
  for (let at = 0; at < tokens.length; at++)
    for (const { tokens: wanted, special } of rules.sequences.get(tokens[at]!) ?? [])
      if (wanted.every((token, k) => tokens[at + k] === token)) found.push({ at, length: wanted.length, special });
  if (found.length === 0) return;
  found.sort((x, y) => y.length - x.length || x.at - y.at);
  const taken = new Set<number>();
  const starts = new Map<number, { length: number; special: number }>();
  for (const { at, length, special } of found) {
    if (!taken.has(at) && !taken.has(at + length - 1)) starts.set(at, { length, special });
    for (let k = at; k < at + length; k++) taken.add(k);
  }
  const cut: number[] = [];
  for (let i = 0; i < tokens.length;) {
    const match = starts.get(i);
    if (!match) {
      cut.push(ends[i]!);
      i++;
      continue;
    }
    pushSpecial(rules, cut, i === 0 ? start : ends[i - 1]!, match.special);
    i += match.length;
  }
  for (let i = 0; i < cut.length; i++) ends[i] = cut[i]!;
  ends.length = cut.length;
}

/** More than spaCy's special cases of any one language. */
const MOST_SPECIALS = 1 << 12;

function loadRules(style: Style): Rules {
  const rules: Rules = { style, special: openChunkMemory(MOST_SPECIALS), longestSpecial: 0, sequences: new Map() };
  const chunks = readExceptions(style === STYLES.en);
  for (const [chunk, tokens] of chunks) {
    const units = codeUnits(chunk);
    let at = 0;
    const ends = tokens.map((t) => (at += t.length));
    rules.longestSpecial = Math.max(rules.longestSpecial, chunk.length);
    rules.special.add(units, 0, units.length, hashOf(units, 0, units.length), ends);
  }
  for (const [chunk, { length }] of chunks) {
    const units = codeUnits(chunk);
    if (!hasAffix(rules, units)) continue;
    const ends: number[] = [];
    cutAffixes(rules, units, 0, units.length, ends, false);
    if (ends.length === 1 && length === 1) continue;
    const tokens = ends.map((to, i) => chunk.slice(i === 0 ? 0 : ends[i - 1]!, to));
    const others = rules.sequences.get(tokens[0]!) ?? [];
    rules.sequences.set(tokens[0]!, [...others, { tokens, special: specialAt(rules, units, 0, units.length) }]);
  }
  return rules;
}

/** Chunk → its tokens. */
function readExceptions(english: boolean): Map<string, string[]> {
  const chunks = new Map<string, string[]>();
  const add = (line: string) => chunks.set(line.replaceAll(' ', ''), line.split(' '));
  let forEnglish = false;
  for (const line of readFileSync(asset('core/text/spacy-exceptions.txt'), 'utf8').split('\n')) {
    if (line === '# en') forEnglish = true;
    if (line === '' || line.startsWith('# ') || (forEnglish && !english)) continue;
    add(line);
    // spaCy adds the curly twin of each exception with an apostrophe, in languages that have exceptions of their own.
    if (english && line.includes("'")) add(line.replaceAll("'", '’'));
  }
  return chunks;
}

function hasAffix({ style }: Rules, units: Uint16Array): boolean {
  const end = units.length;
  if (prefixLength(units, 0, end, style) > 0 || suffixLength(units, 0, end, style) > 0) return true;
  for (let i = 0; i < end; i++) if (infixLength(units, 0, i, end, style) > 0) return true;
  return false;
}
