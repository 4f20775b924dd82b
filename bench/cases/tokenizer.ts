// Limit: reading text once and looking each pre-token up: 5 bytes and one cache line a token, some 200 MB/s a core.
// Merging (Chinese pre-tokens are seldom tokens) costs two look-ups a merge: some 50 MB/s.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get_encoding } from 'tiktoken';
import { Tokenizer as HuggingFace } from 'tokenizers';
import { asset } from '../../core/root.ts';
import {
  loadTokenizer,
  SPLITS,
  writeTokenizerJson,
  type SplitName,
  type Tokenizer,
} from '../../tokenizer/encode/index.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';
import { jsonLines, sharedFile, textOf } from '../data.ts';
import { defineBench, median, type BenchOptions, type Figure } from '../harness.ts';
import { trainingSpeed } from '../rivals/sentencepiece.ts';

const BENCH = 'tokenizer';
const encodingName = (split: SplitName) => (split === 'gpt2' ? 'gpt2' : (`${split}_base` as const));
const ranks = (split: SplitName): string => asset(`node_modules/tiktoken/encoders/${encodingName(split)}.json`);
const fresh = (split: SplitName): Tokenizer => loadTokenizer(ranks(split), { split });

export default defineBench({
  name: BENCH,
  limit: 'one look-up a pre-token, about 200 MB/s a core; two a merge where a pre-token is no token, about 50 MB/s',
  async *run(options) {
    if (!sharedFile('tokenizer/encodings.jsonl.gz')) {
      options.say('absent: ../shared/data/tokenizer and ../shared/data/text');
      return;
    }
    yield* goldenMerges();
    yield* goldenIds();
    yield* sameAsHuggingFace();
    yield* encodingSpeed(options);
    yield* oneLetter();
    yield* trainingSpeed(BENCH, options);
  },
});

async function* goldenMerges(): AsyncIterable<Figure> {
  let identical = 0;
  for (const name of ['shakespeare', 'mixed']) {
    const text = Buffer.from(textOf(sharedFile(`tokenizer/train-${name}.txt.gz`)!));
    for (const split of ['gpt2', 'cl100k'] as const) {
      const golden = JSON.parse(textOf(sharedFile(`tokenizer/train-${name}.${split}.json.gz`)!)) as {
        merges: [number, number][];
      };
      for (const vocabulary of [512, 2048]) {
        const { merges } = await trainTokenizer([text], { split, vocabulary });
        if (merges.join() === golden.merges.slice(0, vocabulary - 256).join()) identical++;
      }
    }
  }
  yield {
    bench: BENCH,
    case: 'training on the golden texts, vocabulary 512 and 2,048, both splits',
    metric: 'identical merges',
    value: identical,
    unit: 'of 8',
    bar: '== 8',
  };
}

function* goldenIds(): Iterable<Figure> {
  const rows = jsonLines<{ text: string } & Record<SplitName, number[]>>(sharedFile('tokenizer/encodings.jsonl.gz')!);
  for (const split of SPLITS) {
    const tokenizer = fresh(split);
    const same = rows.filter((row) => tokenizer.encode(row.text).join() === row[split].join()).length;
    yield {
      bench: BENCH,
      case: `golden strings under ${split}`,
      metric: 'identical ids',
      value: same / rows.length,
      unit: `share of ${rows.length} strings`,
      bar: '== 1',
    };
  }
}

async function* sameAsHuggingFace(): AsyncIterable<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'garner-bench-'));
  const training = [textOf(sharedFile('tokenizer/train-mixed.txt.gz')!)].map((t) => Buffer.from(t));
  const texts = [
    ...jsonLines<{ text: string }>(sharedFile('tokenizer/encodings.jsonl.gz')!).map((r) => r.text),
    ...textOf(sharedFile('text/chinese-classics.txt.gz')!).split('\n').slice(0, 300),
    ...jsonLines<{ text: string }>(sharedFile('text/english-c4.jsonl.gz')!)
      .slice(0, 100)
      .map((r) => r.text),
  ].filter((t) => !t.includes('<|'));
  try {
    for (const split of SPLITS) {
      const path = join(folder, `${split}.json`);
      const { vocabulary } = await trainTokenizer(training, { split, vocabulary: 4096 });
      writeFileSync(path, writeTokenizerJson(vocabulary));
      const [ours, theirs] = [loadTokenizer(path), HuggingFace.fromFile(path)];
      let same = 0;
      for (const text of texts) if (ours.encode(text).join() === (await theirs.encode(text)).getIds().join()) same++;
      yield {
        bench: BENCH,
        case: `our tokenizer.json in npm tokenizers, ${split}`,
        metric: 'identical ids',
        value: same / texts.length,
        unit: `share of ${texts.length} texts`,
        bar: '== 1',
      };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** About a megabyte each of prose in two languages and of programs. */
function textsToEncode(): Record<string, string> {
  const folders = ['zod/v4/core', 'commander/lib', 'parse5/dist/parser', 'yaml/dist/compose'];
  const code = folders.flatMap((folder) => {
    const full = asset(join('node_modules', folder));
    return readdirSync(full)
      .filter((f) => /\.(js|ts)$/.test(f))
      .map((f) => readFileSync(join(full, f), 'utf8'));
  });
  return {
    English: textOf(sharedFile('text/english-wikipedia.txt.gz')!),
    Chinese: textOf(sharedFile('text/chinese-novels.txt.gz')!),
    code: code.join('\n'),
  };
}

/** First pass: a fresh encoder of ours each time, so that no pre-token is remembered. tiktoken remembers none. */
function* encodingSpeed({ quick }: BenchOptions): Iterable<Figure> {
  let worst = Infinity;
  for (const split of SPLITS) {
    const rival = get_encoding(encodingName(split));
    for (const [name, text] of Object.entries(textsToEncode())) {
      const megabytes = Buffer.byteLength(text) / 1e6;
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let run = 0; run <= (quick ? 2 : 5); run++) {
        const tokenizer = fresh(split);
        let started = performance.now();
        const ids = tokenizer.encode(text);
        ours.push((performance.now() - started) / 1000);
        started = performance.now();
        const expected = rival.encode(text, [], []);
        theirs.push((performance.now() - started) / 1000);
        if (Buffer.compare(bytesOf(ids), bytesOf(expected)) !== 0)
          throw new Error(`${split}, ${name}: other ids than tiktoken's`);
      }
      // The first round warms up tiktoken's WebAssembly and our kernel's pages.
      const [mine, other] = [median(ours.slice(1)), median(theirs.slice(1))];
      worst = Math.min(worst, other / mine);
      yield {
        bench: BENCH,
        case: `encoding ${name}, ${split}, first pass`,
        metric: 'rate',
        value: megabytes / mine,
        unit: 'MB/s',
        rival: 'npm tiktoken',
        rivalValue: megabytes / other,
        ratio: other / mine,
        note: `${(Math.min(...ours.slice(1)) * 1000).toFixed(1)} to ${(Math.max(...ours.slice(1)) * 1000).toFixed(1)} ms`,
      };
    }
    rival.free();
  }
  yield {
    bench: BENCH,
    case: 'encoding, the worst of three splits and three texts',
    metric: 'times as fast as npm tiktoken',
    value: worst,
    unit: '×',
    bar: '>= 1.5',
  };
}

const bytesOf = (ids: Uint32Array) => Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);

/** A run of one letter is one pre-token: four times as long, four times the work, not sixteen. */
function* oneLetter(): Iterable<Figure> {
  for (const split of SPLITS) {
    const tokenizer = fresh(split);
    // Processor time: on a busy machine the longer of two runs waits more often.
    const secondsFor = (n: number) =>
      Math.min(
        ...Array.from({ length: 5 }, () => {
          const text = 'a'.repeat(n);
          const started = process.cpuUsage();
          tokenizer.encode(text);
          const { user, system } = process.cpuUsage(started);
          return (user + system) / 1e6;
        }),
      );
    const [quarter, whole] = [secondsFor(250_000), secondsFor(1_000_000)];
    yield {
      bench: BENCH,
      case: `1 MB of one letter, ${split}`,
      metric: 'processor time, in times of 250 kB (linear is 4)',
      value: whole / quarter,
      unit: '×',
      bar: '<= 7',
      note: `${(whole * 1000).toFixed(0)} ms`,
    };
  }
}
