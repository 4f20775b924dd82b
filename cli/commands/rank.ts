import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { linesOf, readBytes, writeAtomically } from '../../core/files.ts';
import { isTooLong, journalPath, LONGEST_JUDGEMENT } from '../../core/lake/judgements.ts';
import { existingLake, openLake } from '../../core/lake/lake.ts';
import type { Judgement } from '../../core/records/index.ts';
import { plain } from '../../core/progress.ts';
import { readCandidates } from '../../studio/rank/candidates-file.ts';
import { GUIDELINE } from '../../studio/rank/guideline.ts';
import { compact, openJournal, readJudgements } from '../../studio/rank/journal.ts';
import { judgementOf } from '../../studio/rank/line.ts';
import { openRanking, type RankingOptions } from '../../studio/rank/open.ts';
import { isNew, judgementOfPair, openKnown, pairsOf, standing } from '../../studio/rank/pairs.ts';
import { preferenceOf } from '../../trainer/data/shapes.ts';
import { numberBetween, wholeNumber } from '../arguments.ts';
import { defineCommand, type Options, type Terminal } from '../command.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { defaultPrompts, judgedModel, readPrompts } from '../ranking.ts';

export default defineCommand({
  name: 'rank',
  summary: 'compare sampled answers by hand on a local page; export and import what was judged',
  arguments: [
    {
      name: '[runs...]',
      about: 'runs whose answers are compared (name, name@step or a folder); or: export, import FILE…',
    },
  ],
  options: [
    { flag: '--prompts <file>', about: 'JSON lines {prompt} or {messages} (default: those of the fine-tuning)' },
    { flag: '--count <n>', about: 'at most so many prompts', default: 200, parse: wholeNumber('--count', 1) },
    {
      flag: '--candidates <n>',
      about: 'answers a prompt, 2 to 4',
      default: 2,
      parse: numberBetween('--candidates', 2, 4),
    },
    { flag: '--candidates-file <file>', about: 'answers that are there already: JSON lines {prompt, candidates}' },
    { flag: '--overlap <n>', about: 'judges a prompt', default: 1, parse: wholeNumber('--overlap', 1) },
    { flag: '--guideline <file>', about: 'what stands above the answers' },
    { flag: '--judge <name>', about: 'who judges, until the page says otherwise (default: you)' },
    {
      flag: '--temperature <n>',
      about: 'of the samples',
      default: 0.8,
      parse: numberBetween('--temperature', 0, 100, false),
    },
    {
      flag: '--top-k <n>',
      about: 'only the likeliest k tokens; 0 for all',
      default: 50,
      parse: wholeNumber('--top-k'),
    },
    {
      flag: '--top-p <n>',
      about: 'only the likeliest up to p',
      default: 1,
      parse: numberBetween('--top-p', 0, 1, false),
    },
    { flag: '--tokens <n>', about: 'most tokens of an answer', default: 256, parse: wholeNumber('--tokens', 1) },
    { flag: '--seed <n>', about: 'of samples, choice and order', default: 1, parse: wholeNumber('--seed') },
    { flag: '--port <n>', about: 'on 127.0.0.1; 0 for any', default: 7391, parse: numberBetween('--port', 0, 65_535) },
    { flag: '--format <kind>', about: 'export: pairs (for training) or full (every judgement)', default: 'pairs' },
    { flag: '-o, --output <file>', about: 'export: where to (default: standard output)' },
    { flag: '--compact', about: 'move the journal into Parquet, and end' },
    LAKE_FLAG,
  ],
  examples: [
    'garner rank quickstart-finetune --candidates 3',
    'garner rank export --format pairs -o pairs.jsonl',
    'garner rank import pairs.jsonl',
  ],
  async run([first, ...rest], options, terminal) {
    if (first === 'export') return exportTo(options, terminal);
    if (first === 'import') return importFrom(rest, options, terminal);
    if (options['compact'] === true) {
      const moved = await compact(existingLake(lakeOf(options)));
      terminal.stderr.write(`${moved} judgement${moved === 1 ? '' : 's'} moved into Parquet\n`);
      return 0;
    }
    return judge(first === undefined ? [] : [first, ...rest], options, terminal);
  },
});

/** Serves the page until Ctrl-C. */
async function judge(runs: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  const file = options['candidatesFile'] as string | undefined;
  if (file !== undefined && runs.length > 0)
    throw new GarnerError({
      what: 'runs and --candidates-file were both given',
      where: 'argument',
      hint: 'answers are sampled from runs, or read from a file',
      fault: 2,
    });
  const lake = file === undefined ? existingLake(lakeOf(options)) : await openLake(lakeOf(options));
  const work = file === undefined ? await sampledWork(lake, runs, options, terminal) : await givenWork(file, terminal);
  const ranking = await openRanking({
    lake,
    ...work,
    overlap: options['overlap'] as number,
    seed: options['seed'] as number,
    judge: (options['judge'] as string | undefined) ?? userInfo().username,
    guideline: options['guideline'] === undefined ? GUIDELINE : readText(options['guideline'] as string),
    port: options['port'] as number,
  });
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  if (ranking.damaged > 0)
    terminal.stderr.write(`garner: ${ranking.damaged} damaged lines in ${journalPath(lake)} are passed over\n`);
  terminal.stdout.write(`open ${ranking.url}\n`);
  terminal.stderr.write(`judgements go to ${journalPath(lake)}; Ctrl-C ends\n`);
  await stopped;
  const { judgements, done, tasks } = ranking.progress();
  await ranking.close();
  terminal.stderr.write(`${judgements} judgements; ${done} of ${tasks} prompts done\n`);
  return 0;
}

type Work = Pick<RankingOptions, 'tasks' | 'sample'>;

async function givenWork(file: string, terminal: Terminal): Promise<Work> {
  const { tasks, refused } = await readCandidates(file);
  if (refused[0])
    terminal.stderr.write(
      `garner: ${refused.length} line${refused.length === 1 ? '' : 's'} cannot be judged; line ${refused[0].line}: ${plain(refused[0].why)}\n`,
    );
  return { tasks, sample: null };
}

async function sampledWork(lake: string, runs: readonly string[], options: Options, terminal: Terminal): Promise<Work> {
  const [seed, count] = [options['seed'] as number, options['count'] as number];
  const models = (runs.length > 0 ? runs : ['']).map((name) => judgedModel(lake, name));
  const file = (options['prompts'] as string | undefined) ?? defaultPrompts(lake);
  const { prompts, refused } = await readPrompts(file, count, seed);
  if (refused > 0) terminal.stderr.write(`garner: ${refused} lines of ${file} are no prompts\n`);
  const candidates = options['candidates'] as number;
  if (models.length > candidates)
    throw new GarnerError({
      what: `${models.length} runs and ${candidates} answers a prompt`,
      where: 'argument',
      hint: 'add --candidates N, up to 4',
      fault: 2,
    });
  const choice = {
    tokens: options['tokens'] as number,
    temperature: options['temperature'] as number,
    topK: options['topK'] as number,
    topP: options['topP'] as number,
    seed,
  };
  return { tasks: [], sample: { models, prompts, candidates, choice } };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').toWellFormed();
  } catch (error) {
    throw explainSystemError(error, path);
  }
}

/** What was judged, as JSON lines. */
async function exportTo(options: Options, terminal: Terminal): Promise<number> {
  const format = options['format'] as string;
  if (format !== 'pairs' && format !== 'full')
    throw new GarnerError({ what: `--format is "${format}"`, where: 'argument', hint: 'pairs or full', fault: 2 });
  const lake = existingLake(lakeOf(options));
  const lines: object[] = [];
  if (format === 'pairs') for (const j of await standing(readJudgements(lake))) lines.push(...pairsOf(j));
  else for await (const line of readJudgements(lake)) lines.push(line);
  const pieces = lines.map((line) => `${JSON.stringify(line)}\n`);
  if (options['output'] !== undefined) await writeAtomically(resolve(options['output'] as string), pieces.join(''));
  else for (const piece of pieces) if (!terminal.stdout.write(piece)) await once(terminal.stdout, 'drain');
  terminal.stderr.write(`${lines.length} ${format === 'pairs' ? 'pairs' : 'judgements'}\n`);
  return 0;
}

/** Takes in what was exported elsewhere, or pairs of any shape that training takes. */
async function importFrom(files: readonly string[], options: Options, terminal: Terminal): Promise<number> {
  if (files.length === 0)
    throw new GarnerError({ what: 'no file is named', where: 'argument', hint: 'garner rank import FILE…', fault: 2 });
  const lake = await openLake(lakeOf(options));
  const known = openKnown();
  const journal = await openJournal(lake, (line) => known.add(line));
  const counts = { taken: 0, known: 0 };
  const refused: string[] = [];
  try {
    for (const file of files)
      for await (const { number, text, tooLong } of linesOf(readBytes(file), LONGEST_JUDGEMENT)) {
        if (!tooLong && text.trim() === '') continue;
        const place = `${file}:${number}`;
        const line = tooLong || isTooLong(text) ? 'longer than 16 MB' : imported(text, file, place);
        if (typeof line === 'string') refused.push(`${place}: ${line}`);
        else if (!isNew(known, line)) counts.known++;
        else {
          journal.append(line);
          known.add(line);
          counts.taken++;
        }
      }
  } finally {
    journal.close();
  }
  terminal.stderr.write(`${counts.taken} taken in, ${counts.known} known already, ${refused.length} refused\n`);
  for (const line of refused.slice(0, 5)) terminal.stderr.write(`  ${plain(line)}\n`);
  return counts.taken + counts.known > 0 || refused.length === 0 ? 0 : 1;
}

function imported(text: string, source: string, location: string): Judgement | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const whole = judgementOf(value);
  if (whole) return whole;
  const pair = preferenceOf(value, { source, location });
  return 'reason' in pair ? pair.reason : judgementOfPair(pair, Date.now());
}
