import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { existingLake } from '../../core/lake/lake.ts';
import { openSampler, type Sampler } from '../../trainer/sample/sampler.ts';
import { defineCommand, type Options, type Terminal } from '../command.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { wholeNumber } from '../run.ts';
import { checkpointOf, findRun } from '../runs.ts';

const share =
  (name: string, low: number, high: number) =>
  (value: string): number => {
    const n = Number(value);
    if (value.trim() === '' || !(n >= low && n <= high))
      throw new GarnerError({
        what: `${name} is "${value}"`,
        where: 'argument',
        hint:
          high === Infinity ? `a number of at least ${low} is expected` : `a number from ${low} to ${high} is expected`,
        fault: 2,
      });
    return n;
  };

export default defineCommand({
  name: 'sample',
  summary: 'let a trained model write',
  arguments: [
    { name: '[run]', about: 'a run by its name or key, or a folder with a model (default: the last run of the lake)' },
  ],
  options: [
    { flag: '-p, --prompt <text>', about: 'what it goes on from, or answers; - reads standard input', default: '' },
    { flag: '-t, --tokens <n>', about: 'most tokens to write', default: 128, parse: wholeNumber('--tokens', 1) },
    { flag: '-n, --count <n>', about: 'how many texts', default: 1, parse: wholeNumber('--count', 1) },
    {
      flag: '--temperature <n>',
      about: '0 takes the likeliest token each time',
      default: 0.8,
      parse: share('--temperature', 0, Infinity),
    },
    {
      flag: '--top-k <n>',
      about: 'only the likeliest k tokens; 0 for all',
      default: 50,
      parse: wholeNumber('--top-k'),
    },
    {
      flag: '--top-p <n>',
      about: 'only the likeliest tokens up to this probability',
      default: 1,
      parse: share('--top-p', 0, 1),
    },
    { flag: '--seed <n>', about: 'the same seed writes the same text', default: 1, parse: wholeNumber('--seed') },
    { flag: '--chat', about: 'the prompt is a question (default where the model was fine-tuned)' },
    { flag: '--plain', about: 'the prompt is the beginning of a text' },
    { flag: '--step <n>', about: 'an earlier checkpoint that was kept', parse: wholeNumber('--step', 1) },
    { flag: '--json', about: 'one JSON line a text: prompt, text, tokens, ended' },
    LAKE_FLAG,
  ],
  examples: [
    'garner sample --prompt "The whale"',
    'garner sample quickstart-finetune --prompt "What is 3 + 4?" --temperature 0',
  ],
  async run([run], options, terminal) {
    if (options['chat'] === true && options['plain'] === true)
      throw new GarnerError({
        what: '--chat and --plain were both given',
        where: 'argument',
        hint: 'a prompt is a question, or the beginning of a text',
        fault: 2,
      });
    const sampler = openSampler(folderOf(run, options), { threads: availableParallelism() });
    try {
      const text =
        options['prompt'] === '-' ? (await readAll(terminal)).replace(/\n$/, '') : (options['prompt'] as string);
      const prompt = idsOf(sampler, text, options);
      for (let sequence = 0; sequence < (options['count'] as number); sequence++) {
        if (sequence > 0 && !options['json']) await write(terminal, '\n');
        await sampleOne(sampler, prompt, sequence, text, options, terminal);
      }
    } finally {
      sampler.close();
    }
    return 0;
  },
});

/** The folder of the checkpoint that is meant. */
function folderOf(run: string | undefined, options: Options): string {
  if (run !== undefined && existsSync(join(run, 'config.json'))) return run;
  const lake = existingLake(lakeOf(options));
  return checkpointOf(lake, findRun(lake, run), options['step'] as number | undefined);
}

/** Whether the prompt is a question: as asked, else where the model was fine-tuned. */
const isChat = (sampler: Sampler, options: Options): boolean =>
  options['chat'] === true || (sampler.chat !== null && options['plain'] !== true);

function idsOf(sampler: Sampler, text: string, options: Options): number[] {
  if (!isChat(sampler, options)) return sampler.prompt(text);
  if (!sampler.chat)
    throw new GarnerError({
      what: 'this model was not fine-tuned on conversations',
      hint: 'leave --chat out, or name a run of the stage finetune',
      fault: 2,
    });
  return sampler.chat.prompt([{ role: 'user', content: text }]);
}

async function sampleOne(
  sampler: Sampler,
  prompt: readonly number[],
  sequence: number,
  text: string,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const pieces = sampler.stream(prompt, {
    tokens: options['tokens'] as number,
    temperature: options['temperature'] as number,
    topK: options['topK'] as number,
    topP: options['topP'] as number,
    seed: options['seed'] as number,
    sequence,
  });
  const json = options['json'] === true;
  if (!json && !isChat(sampler, options)) await write(terminal, text);
  let whole = '';
  for (;;) {
    const next = await pieces.next();
    if (next.done) {
      await write(terminal, json ? `${JSON.stringify({ prompt: text, text: whole, ...next.value })}\n` : '\n');
      return;
    }
    whole += next.value;
    if (!json) await write(terminal, next.value);
  }
}

/** Writes text; on a terminal without characters that could move the cursor or turn the writing direction. */
async function write(terminal: Terminal, text: string): Promise<void> {
  const shown = terminal.stdout.isTTY
    ? text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
    : text;
  if (!terminal.stdout.write(shown)) await once(terminal.stdout, 'drain');
}

async function readAll(terminal: Terminal): Promise<string> {
  if (terminal.stdin === process.stdin) return readFileSync(0, 'utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of terminal.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
