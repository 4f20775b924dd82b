import { existsSync } from 'node:fs';
import { GarnerError } from '../../core/errors.ts';
import { writeAtomically } from '../../core/files.ts';
import { createProgress, short } from '../../core/progress.ts';
import { SPLITS, writeTokenizerJson, type SplitName } from '../../tokenizer/encode/index.ts';
import { chunksOf, textsOfJsonLines } from '../../tokenizer/train/files.ts';
import { forgetfulNotice, SPECIAL_TOKENS, trainTokenizer } from '../../tokenizer/train/index.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { openInput } from '../pipe.ts';
import { splitName } from './tokenize.ts';

const MOST = 1_000_000;

export default defineCommand({
  name: 'tokenizer',
  summary: 'train a tokenizer on texts: garner tokenizer train FILE…',
  arguments: [
    { name: '<action>', about: 'train' },
    {
      name: '<files...>',
      about: 'plain text, or JSON lines with a "text" (.jsonl), both .gz too; - is standard input',
    },
  ],
  options: [
    { flag: '--vocab <n>', about: 'bytes and merges together: 512 is 256 merges', default: 8192, parse: vocabulary },
    { flag: '--split <name>', about: `how text is cut: ${SPLITS.join(', ')}`, default: 'cl100k', parse: splitName },
    { flag: '--out <file>', about: 'where the tokenizer goes', default: 'tokenizer.json' },
  ],
  examples: [
    'garner tokenizer train corpus.txt.gz --vocab 8192 --split cl100k --out tokenizer.json',
    'garner tokenizer train pages.jsonl --vocab 512',
  ],
  async run([action, ...files], options, terminal) {
    if (action !== 'train')
      throw new GarnerError({
        what: `"${action}" is nothing that garner tokenizer does`,
        hint: 'write "garner tokenizer train FILE…"',
        fault: 2,
      });
    for (const file of files)
      if (file !== '-' && !existsSync(file))
        throw new GarnerError({ what: 'no such file', where: file, hint: 'check the path', fault: 2 });
    const wanted = options['vocab'] as number;
    const out = options['out'] as string;
    const progress = createProgress(terminal.stderr);
    const started = performance.now();
    const bad: string[] = [];
    progress.begin('tokenizer', 1);
    try {
      const trained = await trainTokenizer(textsOf(files, terminal, bad), {
        split: options['split'] as SplitName,
        vocabulary: wanted,
        progress: (phase, done) =>
          phase === 'counting'
            ? progress.update('tokenizer', 'train', done, null, `${short(done)}B counted`)
            : progress.update('tokenizer', 'train', done, wanted - 256, `${done} of ${wanted - 256} merges`),
      });
      await writeAtomically(out, writeTokenizerJson(trained.vocabulary));
      progress.close();
      if (trained.engine === 'typescript') terminal.stderr.write('garner: no C compiler, trained in TypeScript\n');
      if (bad.length > 0)
        terminal.stderr.write(`garner: ${bad.length} lines without a text were left out, the first: ${bad[0]}\n`);
      const forgetful = forgetfulNotice(trained.figures);
      if (forgetful) terminal.stderr.write(`garner: ${forgetful}\n`);
      const { bytes, tokens } = trained.figures;
      const merges = trained.counts.length;
      if (merges < wanted - 256)
        terminal.stderr.write(`garner: the text has pairs for ${merges} merges only, not ${wanted - 256}\n`);
      terminal.stdout.write(
        `${out}: ${merges} merges, ${SPECIAL_TOKENS.length} special tokens, ` +
          `${tokens > 0 ? (bytes / tokens).toFixed(3) : 0} bytes per token over ${bytes} bytes, ` +
          `${((performance.now() - started) / 1000).toFixed(2)} s\n`,
      );
      return 0;
    } finally {
      progress.close();
    }
  },
});

async function* textsOf(files: readonly string[], terminal: Terminal, bad: string[]): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const bytes = openInput(file, terminal);
    if (/\.(jsonl|ndjson)(\.gz)?$/i.test(file))
      yield* textsOfJsonLines(bytes, (line) => void bad.push(`${file}:${line}`));
    else yield* chunksOf(bytes);
  }
}

function vocabulary(value: string): number {
  const n = Number(value);
  if (Number.isInteger(n) && n >= 256 && n <= MOST) return n;
  throw new GarnerError({
    what: `"${value}" is no size of a vocabulary`,
    where: '--vocab',
    hint: `a whole number from 256 to ${MOST}`,
    fault: 2,
  });
}
