/** How text is cut into pre-tokens before merging: the published expressions of three vocabularies. */
export const SPLITS = ['gpt2', 'cl100k', 'o200k'] as const;
export type SplitName = (typeof SPLITS)[number];

/** The number by which the kernels know a split. */
export const splitNumber = (split: SplitName): number => SPLITS.indexOf(split);

/**
 * As published (tiktoken), and as tokenizer.json carries them. `\s` is Unicode White_Space in the Rust and Oniguruma
 * engines, which JavaScript's is not, and there are inline flags: these strings are for other programs, never for RegExp.
 */
export const PUBLISHED: Record<SplitName, string> = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  cl100k:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  o200k: [
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    '\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  ].join('|'),
};

// The long s (ſ) is here because the Rust engine folds case by Unicode.
const CONTRACTION = "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])";
const SPACES = '\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+';

/** The same expressions for Node (flags g and u). The measure of the hand-written splitters; quadratic on long runs. */
const NODE_PATTERNS: Record<SplitName, string> = {
  gpt2: `'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|${SPACES}`,
  cl100k: `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n]*|\\p{White_Space}*[\\r\\n]+|${SPACES}`,
  o200k: [
    `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?:${CONTRACTION})?`,
    `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?:${CONTRACTION})?`,
    `\\p{N}{1,3}| ?[^\\p{White_Space}\\p{L}\\p{N}]+[\\r\\n/]*|\\p{White_Space}*[\\r\\n]+|${SPACES}`,
  ].join('|'),
};

/** The pre-tokens of a text by regular expression: slow and plain, the reference of the fast splitters. */
export const splitByExpression = (text: string, split: SplitName): string[] =>
  text.match(new RegExp(NODE_PATTERNS[split], 'gu')) ?? [];

/** Which split an expression in a tokenizer.json means, or null where garner does not know it. */
export const splitOfExpression = (expression: string): SplitName | null =>
  SPLITS.find((name) => PUBLISHED[name] === expression || NODE_PATTERNS[name] === expression) ?? null;
