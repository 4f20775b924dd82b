import { z } from 'zod';
import { GarnerError } from '../../core/errors.ts';
import { fromAlphabet, toAlphabet } from './alphabet.ts';
import { PUBLISHED, SPLITS, splitOfExpression, type SplitName } from './patterns.ts';
import { MOST_MERGES, MOST_TOKENS, vocabularySize, type Vocabulary } from './vocabulary.ts';

const preTokenizer = z.looseObject({
  type: z.string(),
  pattern: z.looseObject({ Regex: z.string().optional(), String: z.string().optional() }).optional(),
  behavior: z.string().optional(),
  invert: z.boolean().optional(),
  use_regex: z.boolean().optional(),
  add_prefix_space: z.boolean().optional(),
});

const isVocab = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((id) => Number.isInteger(id) && id >= 0 && id < MOST_TOKENS);

const fileSchema = z.looseObject({
  added_tokens: z
    .array(
      z.looseObject({
        id: z
          .int()
          .min(0)
          .max(MOST_TOKENS - 1),
        content: z.string(),
      }),
    )
    .nullish()
    .transform((v) => v ?? []),
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.looseObject({
    ...preTokenizer.shape,
    pretokenizers: z.array(preTokenizer).optional(),
  }),
  model: z.looseObject({
    type: z.string().nullish(),
    // Not z.record: a token may be called __proto__, and code has it.
    vocab: z.custom<Record<string, number>>(isVocab, 'tokens with their ids are expected'),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])).max(MOST_MERGES),
    ignore_merges: z.boolean().nullish(),
  }),
});

/**
 * Reads a byte-level BPE from the text of a tokenizer.json. Throws a GarnerError where it is none, or one whose
 * split or normalizer garner does not know: other ids than its maker's would be worse than none.
 */
export function readTokenizerJson(text: string, where: string): Vocabulary {
  const refuse = (what: string, hint: string) => new GarnerError({ what, where, hint, fault: 2 });
  const kind = 'a tokenizer.json with a byte-level BPE is expected';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuse('the file is no JSON', kind);
  }
  const result = fileSchema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw refuse(`${issue.path.join('.') || 'the file'}: ${issue.message}`, kind);
  }
  const file = result.data;
  if ((file.model.type ?? 'BPE') !== 'BPE') throw refuse(`the model is a ${file.model.type}`, kind);
  if (file.normalizer)
    throw refuse('it changes text before splitting (normalizer)', 'garner encodes text as it stands');
  const split = splitOf(file.pre_tokenizer);
  if (!split) throw refuse('its split pattern is not one that garner knows', `the ones it knows: ${SPLITS.join(', ')}`);

  const blank = file.added_tokens.find((t) => t.special === false && t.content.trim() === '');
  if (blank) throw refuse(`added token ${blank.id} takes white space out of the text before it is split`, kind);
  const added = new Map(file.added_tokens.map((t) => [t.content, t.id]));
  const size = [...Object.values(file.model.vocab), ...added.values()].reduce((n, id) => Math.max(n, id + 1), 0);
  const tokens = Array.from({ length: size }, (): Uint8Array => new Uint8Array());
  for (const [token, id] of Object.entries(file.model.vocab)) {
    if (added.has(token)) continue;
    const bytes = fromAlphabet(token);
    if (!bytes) throw refuse(`token ${JSON.stringify(token)} is not in the byte alphabet`, kind);
    tokens[id] = bytes;
  }
  const merges = new Uint32Array(3 * file.model.merges.length);
  for (const [i, merge] of file.model.merges.entries()) {
    const parts = typeof merge === 'string' ? merge.split(' ') : merge;
    const ids = [...parts, parts.join('')].map((t) => lookUp(file.model.vocab, t));
    if (ids.length !== 3 || ids.includes(undefined))
      throw refuse(`merge ${i + 1} (${JSON.stringify(merge)}) names a token that is not in the vocabulary`, kind);
    merges.set(ids as number[], 3 * i);
  }
  const specialTokens = Object.fromEntries(added);
  const endOfText = END_NAMES.map((name) => added.get(name)).find((id) => id !== undefined);
  return {
    split,
    tokens,
    merges,
    whole: file.model.ignore_merges ?? false,
    specialTokens,
    endOfText: endOfText ?? -1,
  };
}

/** Names under which vocabularies keep the token that ends a document, garner's own first. */
const END_NAMES = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>'];

const lookUp = (vocab: Record<string, number>, token: string): number | undefined =>
  Object.hasOwn(vocab, token) ? vocab[token] : undefined;

type PreTokenizer = z.infer<typeof preTokenizer>;

function splitOf(given: PreTokenizer & { pretokenizers?: PreTokenizer[] | undefined }): SplitName | null {
  const steps = given.type === 'Sequence' ? (given.pretokenizers ?? []) : [given];
  const last = steps.at(-1);
  if (last?.type !== 'ByteLevel' || last.add_prefix_space === true) return null;
  // ByteLevel's own expression is GPT-2's, and its default.
  if (steps.length === 1) return last.use_regex === false ? null : 'gpt2';
  if (steps.length !== 2 || steps[0]!.type !== 'Split' || last.use_regex !== false) return null;
  const { pattern, behavior, invert = false } = steps[0]!;
  // The matches are the pre-tokens: kept apart from what lies between, or all that is not removed.
  if (!(behavior === 'Isolated' && !invert) && !(behavior === 'Removed' && invert)) return null;
  const expression = pattern?.Regex;
  return expression === undefined ? null : splitOfExpression(expression);
}

/**
 * The text of a tokenizer.json that Hugging Face's `tokenizers` loads. `v.merges` must not be null.
 * The same vocabulary gives the same bytes.
 */
export function writeTokenizerJson(v: Vocabulary): string {
  if (!v.merges) throw new Error('a ranks file has no list of merges to write');
  // Without a prototype, so that a token may be called __proto__.
  const vocab = Object.create(null) as Record<string, number>;
  for (const [id, bytes] of v.tokens.entries()) if (bytes.length > 0) vocab[toAlphabet(bytes)] = id;
  const merges: [string, string][] = [];
  for (let i = 0; i < v.merges.length; i += 3)
    merges.push([toAlphabet(v.tokens[v.merges[i]!]!), toAlphabet(v.tokens[v.merges[i + 1]!]!)]);
  const special = Object.entries(v.specialTokens).toSorted(([, a], [, b]) => a - b);
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const file = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: PUBLISHED[v.split] }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: v.whole,
      vocab,
      merges,
    },
  };
  if (vocabularySize(v) > MOST_TOKENS) throw new Error(`more than ${MOST_TOKENS} tokens`);
  return `${JSON.stringify(file)}\n`;
}
