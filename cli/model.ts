import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { GarnerError } from '../core/errors.ts';
import { existingLake } from '../core/lake/lake.ts';
import type { Flag, Options, Terminal } from './command.ts';
import { lakeOf } from './lake.ts';
import { wholeNumber } from './run.ts';
import { checkpointOf, findRun, runName } from './runs.ts';

/** The argument of commands that use a trained model. */
export const MODEL_ARGUMENT = {
  name: '[run]',
  about: 'a run by its name or key, or a folder with a model (default: the last run of the lake)',
};

export const STEP_FLAG: Flag = {
  flag: '--step <n>',
  about: 'an earlier checkpoint that was kept',
  parse: wholeNumber('--step', 1),
};

/** How a token is chosen, the same in every command that samples. */
export const SAMPLING_FLAGS: readonly Flag[] = [
  {
    flag: '--temperature <n>',
    about: '0 takes the likeliest token each time',
    default: 0.8,
    parse: share('--temperature', 0, Infinity),
  },
  { flag: '--top-k <n>', about: 'only the likeliest k tokens; 0 for all', default: 50, parse: wholeNumber('--top-k') },
  {
    flag: '--top-p <n>',
    about: 'only the likeliest tokens up to this probability',
    default: 1,
    parse: share('--top-p', 0, 1),
  },
  { flag: '--seed <n>', about: 'the same seed writes the same text', default: 1, parse: wholeNumber('--seed') },
];

/** What SAMPLING_FLAGS say. */
export const samplingOf = (options: Options): Record<'temperature' | 'topK' | 'topP' | 'seed', number> => ({
  temperature: options['temperature'] as number,
  topK: options['topK'] as number,
  topP: options['topP'] as number,
  seed: options['seed'] as number,
});

function share(name: string, low: number, high: number): (value: string) => number {
  return (value) => {
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
}

/** The checkpoint that is meant, and what to call the model. Throws a GarnerError that names the runs there are. */
export function modelOf(run: string | undefined, options: Options): { folder: string; name: string } {
  if (run !== undefined && existsSync(`${run}/config.json`)) return { folder: run, name: basename(resolve(run)) };
  const lake = existingLake(lakeOf(options));
  const found = findRun(lake, run);
  return { folder: checkpointOf(lake, found, options['step'] as number | undefined), name: runName(found) };
}

/** For a base model where a conversation is asked for. */
export const noConversations = (hint: string): GarnerError =>
  new GarnerError({ what: 'this model was not fine-tuned on conversations', hint, fault: 2 });

/** Writes text; on a terminal without characters that could move the cursor or turn the writing direction. */
export async function writeText(terminal: Terminal, text: string): Promise<void> {
  const shown = terminal.stdout.isTTY
    ? text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
    : text;
  if (!terminal.stdout.write(shown)) await once(terminal.stdout, 'drain');
}
