import type { SplitName } from '../encode/patterns.ts';
import type { Vocabulary } from '../encode/vocabulary.ts';
import { nativeTrainer } from './native.ts';
import type { Figures, PairTrainer } from './trainer.ts';
import { twinTrainer } from './twin.ts';

/** Tokens after the merges: the end of a document, and the borders of a turn in ChatML. */
export const SPECIAL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;

/** Distinct pre-tokens that training holds at once; beyond it the rarest are forgotten. About 1 GB at its peak. */
const DISTINCT_LIMIT = 32 << 20;

export interface TrainOptions {
  split: SplitName;
  /** Bytes and merges together: 512 is 256 merges. Special tokens come on top. */
  vocabulary: number;
  /** `typescript` where the kernel is not wanted (tests). */
  engine?: 'typescript' | undefined;
  /** Bytes of distinct pre-tokens that are held. */
  limit?: number | undefined;
  /** Called now and then with the bytes counted, then with the merges made. */
  progress?: ((phase: 'counting' | 'merging', done: number) => void) | undefined;
}

export interface Trained {
  vocabulary: Vocabulary;
  /** [2 × merges] */
  merges: Uint32Array;
  /** [merges] how often each pair occurred when it was taken. */
  counts: Float64Array;
  figures: Figures;
  engine: PairTrainer['engine'];
}

/** What a person should know of a training that had to forget pre-tokens, or null. */
export const forgetfulNotice = ({ forgotten }: Figures): string | null =>
  forgotten === 0
    ? null
    : `the text has more distinct pre-tokens than are held at once: ${forgotten} rare ones were forgotten on the way`;

/** Merges in one call of the kernel. */
const STEP = 256;
const TELL_EVERY = 1 << 20;

/**
 * Learns a byte-level BPE from texts, each split by itself. Ids 0 to 255 are the byte values; at each step the most
 * frequent pair inside the pre-tokens becomes the next id (of several the smallest left id, then the smallest right id).
 * Ends early where no pair is left. The order of the texts does not matter as long as the limit is not reached.
 */
export async function trainTokenizer(
  texts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: TrainOptions,
): Promise<Trained> {
  const { split, progress, limit = DISTINCT_LIMIT } = options;
  const wanted = Math.max(0, options.vocabulary - 256);
  const trainer = (options.engine === 'typescript' ? null : nativeTrainer(split, limit)) ?? twinTrainer(split, limit);
  try {
    let bytes = 0;
    let told = 0;
    for await (const text of texts) {
      trainer.add(text);
      bytes += text.length;
      if (bytes - told < TELL_EVERY) continue;
      told = bytes;
      progress?.('counting', bytes);
    }
    trainer.begin();
    const merges = new Uint32Array(2 * wanted);
    const counts = new Float64Array(wanted);
    let made = 0;
    while (made < wanted) {
      const most = Math.min(STEP, wanted - made);
      const some = trainer.merge(most);
      merges.set(some.pairs, 2 * made);
      counts.set(some.counts, made);
      made += some.counts.length;
      progress?.('merging', made);
      if (some.counts.length < most) break;
    }
    const learned = merges.slice(0, 2 * made);
    return {
      vocabulary: vocabularyOf(learned, split),
      merges: learned,
      counts: counts.slice(0, made),
      figures: trainer.figures(),
      engine: trainer.engine,
    };
  } finally {
    trainer.close();
  }
}

/** The vocabulary that merges [2 × n] make: bytes, merges, then the special tokens. */
export function vocabularyOf(merges: Uint32Array, split: SplitName): Vocabulary {
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const triples = new Uint32Array((merges.length / 2) * 3);
  for (let i = 0; i < merges.length / 2; i++) {
    const [left, right] = [merges[2 * i]!, merges[2 * i + 1]!];
    triples.set([left, right, tokens.length], 3 * i);
    tokens.push(Uint8Array.from([...tokens[left]!, ...tokens[right]!]));
  }
  const specialTokens = Object.fromEntries(SPECIAL_TOKENS.map((name, i) => [name, tokens.length + i]));
  return {
    split,
    tokens,
    merges: triples,
    whole: false,
    specialTokens,
    endOfText: specialTokens['<|endoftext|>']!,
  };
}
