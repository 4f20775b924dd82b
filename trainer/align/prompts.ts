import { GarnerError } from '../../core/errors.ts';
import type { Message } from '../chat/conversations.ts';
import { refusal, type ChatTemplate } from '../chat/template.ts';
import { readAllShaped, type Refused } from '../data/read.ts';
import { isRefusal, promptOf, type Place, type Shaped } from '../data/shapes.ts';
import { permutation } from '../loader/permutation.ts';
import { madeSums, type Asked } from './sums.ts';

/** A prompt as a model reads it, up to the head of the answer. */
export interface Prompt extends Asked {
  ids: number[];
}

/** The prompts that a training learns from, and those on which its checkpoints are compared. */
export interface PromptSplits {
  train: Prompt[];
  selection: Prompt[];
  /** Of the file, or too long. */
  refused: Refused[];
}

/** {id?, prompt | messages, answer?}, as a shape for `readShaped`. */
function askedOf(value: unknown, place: Place): Shaped<Asked> {
  const found = promptOf(value, place);
  if (isRefusal(found)) return found;
  const { answer } = Object(value) as Record<string, unknown>;
  const reference = typeof answer === 'string' ? answer : typeof answer === 'number' ? String(answer) : null;
  return { id: found.id, turns: found.prompt, reference };
}

/** Prompts of a file, and what of it is none. Throws a GarnerError where nothing is a prompt. */
export async function readAsked(path: string): Promise<{ asked: (Asked & Located)[]; refused: Refused[] }> {
  const { records, refused } = await readAllShaped(path, (value, place) => {
    const found = askedOf(value, place);
    if (isRefusal(found)) return found;
    const reason = refusal(found.turns);
    return reason === null ? { ...found, location: place.location } : { reason };
  });
  if (records.length > 0) return { asked: records, refused };
  throw new GarnerError({
    what: `no line is a prompt${refused[0] ? `: ${refused[0].location} is ${refused[0].reason}` : ''}`,
    where: path,
    hint: 'lines of {"prompt": "…", "answer": "…"} or {"messages": [{"role", "content"}]} are expected',
    fault: 2,
  });
}

/** File and record. */
interface Located {
  location?: string;
}

/**
 * The prompts of a recipe: the made sums, or a file of which a seeded choice is held out. Those that leave no `room` for an
 * answer are refused. Throws a GarnerError where nothing is left to learn from.
 */
export async function promptSplits(
  source: 'sums' | { path: string },
  chat: ChatTemplate,
  { seed, held, room }: { seed: number; held: number; room: number },
): Promise<PromptSplits> {
  const {
    train,
    selection,
    refused,
  }: { train: (Asked & Located)[]; selection: (Asked & Located)[]; refused: Refused[] } =
    source === 'sums'
      ? { train: madeSums('train'), selection: madeSums('selection'), refused: [] }
      : await splitFile(source.path, seed, held);
  const out = [...refused];
  const fitting = (asked: readonly (Asked & Located)[]) =>
    asked.flatMap(({ id, turns, reference, location = id }): Prompt[] => {
      const ids = chat.prompt(turns as Message[]);
      if (ids.length <= room) return [{ id, turns, reference, ids }];
      out.push({ location, reason: 'too_long' });
      return [];
    });
  const splits = { train: fitting(train), selection: fitting(selection).slice(0, held), refused: out };
  if (splits.train.length === 0 || splits.selection.length === 0)
    throw new GarnerError({
      what: `of ${train.length + selection.length} prompts none is left to ${splits.train.length === 0 ? 'learn from' : 'compare checkpoints on'}`,
      where: source === 'sums' ? undefined : source.path,
      hint: `give more of them, of at most ${room} tokens each`,
      fault: 2,
    });
  return splits;
}

async function splitFile(path: string, seed: number, held: number) {
  const { asked, refused } = await readAsked(path);
  const count = Math.min(held, Math.floor(asked.length / 2));
  const order = permutation(asked.length, seed, 0);
  const out = new Set(Array.from({ length: count }, (_, i) => order(i)));
  return {
    train: asked.filter((_, i) => !out.has(i)),
    selection: asked.filter((_, i) => out.has(i)),
    refused,
  };
}
