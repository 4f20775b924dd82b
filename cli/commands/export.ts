import { availableParallelism } from 'node:os';
import { GarnerError, nearest } from '../../core/errors.ts';
import { existingLake } from '../../core/lake/lake.ts';
import { createProgress, short } from '../../core/progress.ts';
import { exportSnapshot, needsTokens, type ExportManifest } from '../../datasets/export/export.ts';
import { FORMATS, type FormatName } from '../../datasets/export/formats.ts';
import { findSnapshot } from '../../datasets/export/snapshot.ts';
import { SPLITS } from '../../datasets/export/types.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand, Interrupted, type Options, type Terminal } from '../command.ts';
import { openTokens } from '../export-tokens.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { formatBytes, formatTable, terminalWidth } from '../table.ts';

/** Formats whose files may be compressed or not. */
const COMPRESSED: readonly FormatName[] = ['mds', 'jsonl'];

export default defineCommand({
  name: 'export',
  summary: 'write a snapshot for another trainer: Megatron, llm.c, nanoGPT, nanochat, MosaicML, Parquet, JSONL',
  arguments: [{ name: '<snapshot>', about: 'its name or key: garner sql "from snapshots"' }],
  options: [
    { flag: '--format <name>', about: FORMATS.join(', '), parse: formatName },
    { flag: '--out <dir>', about: 'a new or empty folder' },
    {
      flag: '--tokenizer <file>',
      about: 'a tokenizer.json, for formats of tokens (default: the one made from the snapshot)',
    },
    { flag: '--sequence <t>', about: 'mds: samples of t tokens, not documents', parse: wholeNumber('--sequence', 1) },
    { flag: '--compression <name>', about: 'mds and jsonl: zstd or none (default: none)', parse: compression },
    { flag: '--threads <n>', about: 'threads that encode (default: cores)', parse: wholeNumber('--threads') },
    { flag: '--json', about: 'print export.json' },
    LAKE_FLAG,
  ],
  examples: [
    'garner export web --format megatron --out exports/web',
    'garner export web --format mds --sequence 2048 --out exports/web-mds',
  ],
  async run([name], options, terminal) {
    const format = asked<FormatName>(options, 'format', `add --format ${FORMATS.join('|')}`);
    const out = asked<string>(options, 'out', 'add --out DIR, a new or empty folder');
    checkCompression(options, format);
    const lake = existingLake(lakeOf(options));
    const snapshot = findSnapshot(lake, name!);
    const sequence = format === 'mds' ? ((options['sequence'] as number | undefined) ?? null) : null;
    const progress = createProgress(terminal.stderr);
    for (const text of unused(options, format, sequence)) progress.notice(text);
    const started = performance.now();
    const stopping = onInterrupt();
    const tokens = needsTokens(format, sequence)
      ? await openTokens(snapshot, {
          tokenizer: options['tokenizer'] as string | undefined,
          threads: (options['threads'] as number | undefined) ?? availableParallelism(),
          notice: (text) => progress.notice(text),
        })
      : null;
    try {
      const rows = tokens === null ? null : tooManyRows(format, tokens.vocabulary);
      if (rows) progress.notice(rows);
      if (snapshot.shown.validation === 0)
        progress.notice(
          'no document is held out, so the validation split is empty: mix.validation.share in the recipe',
        );
      progress.begin('export', 1);
      const { manifest, reused } = await exportSnapshot({
        snapshot,
        format,
        out,
        tokens,
        sequence,
        compression: format === 'parquet' ? 'zstd' : ((options['compression'] as 'zstd' | undefined) ?? 'none'),
        progress: (done, total, note) => progress.update('export', format, done, total, note),
        signal: stopping.signal,
      });
      progress.close();
      if (options['json']) terminal.stdout.write(`${JSON.stringify(manifest)}\n`);
      else show(manifest, out, reused, tokens?.about, (performance.now() - started) / 1000, terminal);
      return 0;
    } catch (error) {
      throw stopping.signal.aborted ? new Interrupted('stopped') : error;
    } finally {
      stopping.end();
      progress.close();
      await tokens?.close();
    }
  },
});

function asked<T>(options: Options, name: string, hint: string): T {
  if (options[name] !== undefined) return options[name] as T;
  throw new GarnerError({ what: `--${name} is not given`, where: 'argument', hint, fault: 2 });
}

function formatName(value: string): FormatName {
  const found = FORMATS.find((f) => f === value);
  if (found) return found;
  const guess = nearest(value, FORMATS);
  throw new GarnerError({
    what: `there is no format "${value}"`,
    where: '--format',
    hint: `${guess ? `did you mean "${guess}"? ` : ''}(all: ${FORMATS.join(', ')})`,
    fault: 2,
  });
}

function compression(value: string): 'zstd' | 'none' {
  if (value === 'zstd' || value === 'none') return value;
  throw new GarnerError({
    what: `"${value}" is no compression`,
    where: '--compression',
    hint: 'zstd or none',
    fault: 2,
  });
}

function checkCompression(options: Options, format: FormatName): void {
  if (options['compression'] !== undefined && !COMPRESSED.includes(format))
    throw new GarnerError({
      what: `--compression is for ${COMPRESSED.join(' and ')}, and the format is ${format}`,
      where: 'argument',
      hint: 'leave it out',
      fault: 2,
    });
}

/** What was given and has no use, a sentence each: who gives it expects something of it. */
function* unused(options: Options, format: FormatName, sequence: number | null): Generator<string> {
  if (options['sequence'] !== undefined && sequence === null)
    yield `--sequence is not used: what reads ${format} cuts sequences by itself`;
  if (options['tokenizer'] !== undefined && !needsTokens(format, sequence))
    yield format === 'mds'
      ? '--tokenizer is not used: mds holds text; add --sequence T for samples of tokens'
      : `--tokenizer is not used: ${format} holds text`;
}

/** llm.c checks no token against its embedding, whose size is built in. */
function tooManyRows(format: FormatName, vocabulary: number): string | null {
  if (format !== 'llm.c' || vocabulary <= 50_257) return null;
  return vocabulary <= 65_536
    ? `the vocabulary has ${vocabulary} tokens, llm.c's GPT-2 has 50,257 rows and does not check: raise vocab_size in its source`
    : `the vocabulary has ${vocabulary} tokens: shards of 32 bits, which only llm.c's Llama 3 scripts read`;
}

function onInterrupt(): { signal: AbortSignal; end(): void } {
  const aborting = new AbortController();
  const stop = () => aborting.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return {
    signal: aborting.signal,
    end() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}

function show(
  manifest: ExportManifest,
  out: string,
  reused: boolean,
  source: string | undefined,
  seconds: number,
  terminal: Terminal,
): void {
  const names = Object.keys({ ...manifest.splits.train, ...manifest.splits.validation });
  const rows = SPLITS.map((split) => [split, ...names.map((n) => manifest.splits[split][n] ?? 0)]);
  const size = manifest.files.reduce((n, f) => n + f.bytes, 0);
  const tokens = SPLITS.reduce((n, s) => n + (manifest.splits[s]['tokens'] ?? 0), 0);
  const speed = tokens > 0 && !reused ? `, ${short(Math.round(tokens / seconds))} tokens/s` : '';
  terminal.stdout.write(
    `${formatTable(['split', ...names.map((n) => n.replaceAll('_', ' '))], rows, terminalWidth(terminal))}\n\n` +
      (reused
        ? `${out}: the same export stands there already\n`
        : `${out}: ${manifest.files.length} files, ${formatBytes(size)}, ${seconds.toFixed(1)} s${speed}${source ? ` (${source})` : ''}\n`),
  );
}
