// Limit: 112 products and 112 minima of 64 bits a shingle. AVX2: about 28 instructions per 4 functions, 30 to 60 M shingles/s;
// AVX-512: 2 instructions per 8 functions, 100 to 400 M. On whole documents, cutting the text into shingles decides.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from '../../core/root.ts';
import { createShingler, jaccard } from '../../core/text/shingles.ts';
import { createFingerprint } from '../../datasets/dedup/fingerprint.ts';
import { createSigner, FUNCTIONS, minhashKernel, twin } from '../../datasets/dedup/minhash.ts';
import { jsonLines, sharedFile, textOf } from '../data.ts';
import { defineBench, interleave, median, type BenchOptions, type Figure } from '../harness.ts';

const BENCH = 'minhash';
const RIVAL = 'npm minhash 0.0.9';
const THRESHOLD = 0.8;

interface Rival {
  update(text: string): void;
  jaccard(other: Rival): number;
}

interface Page {
  id: string;
  text: string;
}

interface Pair {
  a: string;
  b: string;
  inter: number;
  union: number;
}

export default defineBench({
  name: BENCH,
  limit:
    '112 products and minima of 64 bits a shingle; about 28 instructions per 4 of them with AVX2, 2 per 8 with AVX-512',
  async *run(options) {
    const planted = sharedFile('dedup/planted-english.jsonl.gz');
    const manifest = sharedFile('dedup/planted-english.manifest.json');
    if (!planted || !manifest) {
      options.say('absent: ../shared/data/dedup');
      return;
    }
    const pages = jsonLines<Page>(planted);
    yield* estimates(pages, (JSON.parse(textOf(manifest)) as { pairs: Pair[] }).pairs, options);
    yield* rates(pages, options);
    for (const language of ['english', 'chinese']) yield* found('planted', language);
    for (const language of ['english', 'chinese']) yield* found('manuals', language);
  },
});

function rivalOf(text: string): Rival {
  const { Minhash } = createRequire(import.meta.url)('minhash') as { Minhash: new (o: { numPerm: number }) => Rival };
  const rival = new Minhash({ numPerm: FUNCTIONS });
  for (const shingle of shingleTexts(text)) rival.update(shingle);
  return rival;
}

const H = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}`;
const TOKEN = new RegExp(String.raw`[${H}]|(?:(?![${H}])[\p{L}\p{N}\p{M}_])+|[^\s]`, 'gu');

/** The distinct shingles as texts, which is what the rival takes. */
function shingleTexts(text: string): Set<string> {
  const tokens = text.toLowerCase().match(TOKEN) ?? [];
  return new Set(tokens.slice(4).map((_, i) => tokens.slice(i, i + 5).join(' ')));
}

/** First of all: the kernel gives the twin's bits, and both estimate the planted similarities. */
function* estimates(pages: readonly Page[], pairs: readonly Pair[], { say }: BenchOptions): Iterable<Figure> {
  const shingle = createShingler('plain');
  const sets = new Map(pages.map((p) => [p.id, shingle(p.text).slice()]));
  const [sign, signTwin] = [createSigner(FUNCTIONS, 1), createSigner(FUNCTIONS, 1, twin)];
  if (minhashKernel() === twin) say('no C compiler here: the TypeScript twin is measured');
  for (const set of sets.values())
    if (!sign(set).every((m, f) => m === signTwin(set)[f])) throw new Error('kernel and twin differ');
  const texts = new Map(pages.map((p) => [p.id, p.text]));
  const errors = pairs.map(({ a, b, inter, union }) => {
    const [x, y] = [sign(sets.get(a)!), sign(sets.get(b)!)];
    if (jaccard(sets.get(a)!, sets.get(b)!) !== inter / union)
      throw new Error(`${a}, ${b}: not the planted similarity`);
    return {
      ours: x.filter((m, f) => m === y[f]).length / FUNCTIONS - inter / union,
      theirs: rivalOf(texts.get(a)!).jaccard(rivalOf(texts.get(b)!)) - inter / union,
      theory: ((inter / union) * (1 - inter / union)) / FUNCTIONS,
    };
  });
  const rms = (values: number[]) => Math.sqrt(values.reduce((n, v) => n + v * v, 0) / values.length);
  yield {
    bench: BENCH,
    case: 'estimate of Jaccard on the planted pairs',
    metric: 'root mean square error',
    value: rms(errors.map((e) => e.ours)),
    unit: 'Jaccard',
    rival: RIVAL,
    rivalValue: rms(errors.map((e) => e.theirs)),
    note: `theory: ${Math.sqrt(errors.reduce((n, e) => n + e.theory, 0) / errors.length).toFixed(4)}`,
  };
}

/** Shingles (each through all functions) and whole documents a second, one core. */
async function* rates(pages: readonly Page[], { quick }: BenchOptions): AsyncIterable<Figure> {
  const shingle = createShingler('plain');
  const sets = pages.map((p) => shingle(p.text).slice());
  const shingles = sets.reduce((n, s) => n + s.length, 0);
  const sign = createSigner(FUNCTIONS, 1);
  const repeats = quick ? 10 : 40;
  const few = pages.slice(0, quick ? 5 : 20).map((p) => p.text);
  const fewShingles = few.reduce((n, t) => n + shingleTexts(t).size, 0);
  const times = await interleave(
    5,
    () => {
      for (let i = 0; i < repeats; i++) for (const set of sets) sign(set);
    },
    () => few.map(rivalOf),
  );
  const avx2 = / avx2 /.test(readFileSync('/proc/cpuinfo', 'utf8'));
  yield {
    bench: BENCH,
    case: `signatures, ${FUNCTIONS} functions of 64 bits`,
    metric: 'rate',
    value: (shingles * repeats) / median(times.a),
    unit: 'shingles/s',
    rival: RIVAL,
    rivalValue: fewShingles / median(times.b),
    ...(avx2 ? { bar: '>= 20000000' } : { note: 'no AVX2 here: no bar' }),
  };
  const fingerprint = createFingerprint();
  const bytes = pages.reduce((n, p) => n + Buffer.byteLength(p.text), 0);
  const whole = await interleave(5, () => {
    for (let i = 0; i < repeats / 5; i++)
      for (const { text } of pages) {
        fingerprint(text);
        sign(shingle(text));
      }
  });
  yield {
    bench: BENCH,
    case: 'text to fingerprint, shingles and signature',
    metric: 'rate',
    value: (bytes * (repeats / 5)) / median(whole.a) / 1e6,
    unit: 'MB/s',
  };
}

/** The pairs of a set through the command itself: of each true pair one is dropped, and nothing below the threshold is. */
function* found(set: 'planted' | 'manuals', language: string): Iterable<Figure> {
  const pages = sharedFile(`dedup/${set}-${language}.jsonl.gz`);
  const truth = sharedFile(`dedup/${set}-${language}.${set === 'planted' ? 'manifest.json' : 'pairs.json.gz'}`);
  if (!pages || !truth) return;
  const parsed = JSON.parse(textOf(truth)) as { pairs: Pair[] } | Pair[];
  const pairs = Array.isArray(parsed) ? parsed : parsed.pairs;
  const output = execFileSync(
    process.execPath,
    [join(packageRoot, 'bin', 'garner'), 'dedup', '--threshold', String(THRESHOLD), pages],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  const answers = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; duplicateOf: string | null; similarity: number | null });
  const gone = new Map(answers.filter((a) => a.duplicateOf !== null).map((a) => [a.id, a]));
  const near = pairs.filter((p) => p.inter / p.union >= 0.85);
  const name = `${set} pairs, ${language}, garner dedup --threshold ${THRESHOLD}`;
  yield {
    bench: BENCH,
    case: name,
    metric: `pairs of 0.85 and more of which one is dropped (${near.length})`,
    value: near.filter((p) => gone.has(p.a) || gone.has(p.b)).length / near.length,
    unit: 'share',
    bar: '== 1',
  };
  const known = new Map(pairs.map((p) => [[p.a, p.b].toSorted().join('\n'), p.inter / p.union]));
  const wrong = [...gone.values()].filter(
    (a) => (known.get([a.id, a.duplicateOf!].toSorted().join('\n')) ?? 0) < THRESHOLD,
  );
  yield {
    bench: BENCH,
    case: name,
    metric: 'dropped for a partner less alike',
    value: wrong.length,
    unit: 'documents',
    // The manuals have one page that differs from its older version in quotation marks alone: an exact duplicate, plain 0.63.
    ...(set === 'planted' ? { bar: '== 0' } : { note: wrong.map((a) => `${a.id}: ${a.similarity}`).join(', ') }),
  };
}
