import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { GarnerError } from '../../core/errors.ts';
import { openSampler, type Sampler } from '../../trainer/sample/sampler.ts';
import { defineCommand, type Options, type Terminal } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import {
  MODEL_ARGUMENT,
  modelOf,
  noConversations,
  SAMPLING_FLAGS,
  samplingOf,
  STEP_FLAG,
  writeText,
} from '../model.ts';
import { wholeNumber } from '../run.ts';

export default defineCommand({
  name: 'sample',
  summary: 'let a trained model write',
  arguments: [MODEL_ARGUMENT],
  options: [
    { flag: '-p, --prompt <text>', about: 'what it goes on from, or answers; - reads standard input', default: '' },
    { flag: '-t, --tokens <n>', about: 'most tokens to write', default: 128, parse: wholeNumber('--tokens', 1) },
    { flag: '-n, --count <n>', about: 'how many texts', default: 1, parse: wholeNumber('--count', 1) },
    ...SAMPLING_FLAGS,
    { flag: '--chat', about: 'the prompt is a question (default where the model was fine-tuned)' },
    { flag: '--plain', about: 'the prompt is the beginning of a text' },
    STEP_FLAG,
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
    const sampler = openSampler(modelOf(run, options).folder, { threads: availableParallelism() });
    try {
      const text =
        options['prompt'] === '-' ? (await readAll(terminal)).replace(/\n$/, '') : (options['prompt'] as string);
      const prompt = idsOf(sampler, text, options);
      for (let sequence = 0; sequence < (options['count'] as number); sequence++) {
        if (sequence > 0 && !options['json']) await writeText(terminal, '\n');
        await sampleOne(sampler, prompt, sequence, text, options, terminal);
      }
    } finally {
      sampler.close();
    }
    return 0;
  },
});

/** Whether the prompt is a question: as asked, else where the model was fine-tuned. */
const isChat = (sampler: Sampler, options: Options): boolean =>
  options['chat'] === true || (sampler.chat !== null && options['plain'] !== true);

function idsOf(sampler: Sampler, text: string, options: Options): number[] {
  if (!isChat(sampler, options)) return sampler.prompt(text);
  if (!sampler.chat) throw noConversations('leave --chat out, or name a run of the stage finetune');
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
    ...samplingOf(options),
    sequence,
  });
  const json = options['json'] === true;
  if (!json && !isChat(sampler, options)) await writeText(terminal, text);
  let whole = '';
  for (;;) {
    const next = await pieces.next();
    if (next.done) {
      await writeText(terminal, json ? `${JSON.stringify({ prompt: text, text: whole, ...next.value })}\n` : '\n');
      return;
    }
    whole += next.value;
    if (!json) await writeText(terminal, next.value);
  }
}

async function readAll(terminal: Terminal): Promise<string> {
  if (terminal.stdin === process.stdin) return readFileSync(0, 'utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of terminal.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
