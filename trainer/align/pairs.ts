import { GarnerError } from '../../core/errors.ts';
import { keyOf } from '../../core/hash.ts';
import type { Preference, Unpaired } from '../../core/records/index.ts';
import type { ChatTemplate } from '../chat/template.ts';
import { readAllShaped, type Refused } from '../data/read.ts';
import { isRefusal, type Place, type Shaped } from '../data/shapes.ts';
import { permutation } from '../loader/permutation.ts';
import { answersTo, promptRefusal, type Answer } from './answers.ts';

/** A pair as a model reads it. */
export interface Pair {
  id: string;
  /** The record's own, or its file's name; where there are several files, always the latter. */
  source: string;
  /** Pairs of one prompt have one key. */
  prompt: string;
  chosen: Answer;
  rejected: Answer;
  /** Of the two texts [UTF-16 code units]. */
  lengths: { chosen: number; rejected: number };
}

/** What was read, and why the rest was not. */
export interface Read<T> {
  items: T[];
  refused: Record<string, number>;
  /** The same one by one. */
  out: Refused[];
  /** Of which something was cut. */
  cut: number;
}

/** Reads files under a shape, then makes items; `make` returns a reason where it cannot. Throws a GarnerError where nothing is left. */
async function readItems<R extends { source: string }, T extends object>(
  files: readonly string[],
  shape: (value: unknown, place: Place) => Shaped<R>,
  make: (record: R) => T | string,
  what: string,
): Promise<Omit<Read<T>, 'cut'>> {
  const items: T[] = [];
  const refused: Record<string, number> = {};
  const out: Refused[] = [];
  const refuse = (location: string, reason: string) => {
    refused[reason] = (refused[reason] ?? 0) + 1;
    out.push({ location, reason });
  };
  const placed = (value: unknown, place: Place): Shaped<{ record: R; location: string }> => {
    const found = shape(value, place);
    if (isRefusal(found)) return found;
    return { record: files.length > 1 ? { ...found, source: place.source } : found, location: place.location };
  };
  for (const file of files) {
    const read = await readAllShaped(file, placed);
    for (const { location, reason } of read.refused) refuse(location, reason);
    for (const { record, location } of read.records) {
      const made = make(record);
      if (typeof made === 'string') refuse(location, made);
      else items.push(made);
    }
  }
  if (items.length === 0)
    throw new GarnerError({
      what: `no line is ${what}${Object.keys(refused).length > 0 ? `: ${inWords(refused)}` : ''}`,
      where: files.join(', '),
      hint: 'the shapes of TRL’s data sets are read: {prompt, chosen, rejected} or {prompt, completion, label}',
      fault: 2,
    });
  return { items, refused, out };
}

/** `half_a_pair 2, no_prompt 1` */
export const inWords = (refused: Readonly<Record<string, number>>): string =>
  Object.entries(refused)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');

/** Preference pairs of files, in their order, as ids of at most `room`. */
export async function readPairs(
  files: readonly string[],
  shape: (value: unknown, place: Place) => Shaped<Preference>,
  chat: ChatTemplate,
  room: number,
): Promise<Read<Pair>> {
  const { items, ...left } = await readItems(
    files,
    shape,
    ({ id, source, prompt, chosen, rejected }): Pair | string => {
      const wrong = promptRefusal(prompt);
      if (wrong) return wrong;
      const [a, b] = answersTo(chat, prompt, [chosen, rejected], room) as [Answer, Answer];
      if (a.ids.join() === b.ids.join()) return 'same_when_cut';
      const lengths = { chosen: chosen.length, rejected: rejected.length };
      return { id, source, prompt: keyOf(prompt), chosen: a, rejected: b, lengths };
    },
    'a preference pair',
  );
  return { items, ...left, cut: items.filter((p) => p.chosen.cut || p.rejected.cut).length };
}

/** An answer with a label, as a model reads it. */
export interface Labelled {
  id: string;
  source: string;
  prompt: string;
  answer: Answer;
  good: boolean;
}

/** Answers with labels; a pair gives two. */
export async function readLabelled(
  files: readonly string[],
  shape: (value: unknown, place: Place) => Shaped<Preference | Unpaired>,
  chat: ChatTemplate,
  room: number,
): Promise<Read<Labelled>> {
  const { items, ...left } = await readItems(
    files,
    shape,
    (record): { all: Labelled[] } | string => {
      const { id, source, prompt } = record;
      const wrong = promptRefusal(prompt);
      if (wrong) return wrong;
      const labels =
        'good' in record
          ? [[record.answer, record.good] as const]
          : ([
              [record.chosen, true],
              [record.rejected, false],
            ] as const);
      const made = answersTo(
        chat,
        prompt,
        labels.map(([text]) => text),
        room,
      );
      return { all: made.map((answer, i) => ({ id, source, prompt: keyOf(prompt), answer, good: labels[i]![1] })) };
    },
    'an answer with a label',
  );
  const all = items.flatMap((i) => i.all);
  return { items: all, ...left, cut: all.filter((a) => a.answer.cut).length };
}

/**
 * Deals items into `parts` by their prompts, so that no prompt stands on two sides: source by source in a seeded order, one part
 * after the other. Returns the part of each item.
 */
export function dealPrompts(
  items: readonly { source: string; prompt: string }[],
  parts: number,
  seed: number,
): number[] {
  const bySource = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const { source, prompt } of items) {
    if (seen.has(prompt)) continue;
    seen.add(prompt);
    bySource.set(source, [...(bySource.get(source) ?? []), prompt]);
  }
  const partOf = new Map<string, number>();
  let next = 0;
  for (const source of [...bySource.keys()].toSorted()) {
    const prompts = bySource.get(source)!.toSorted();
    const order = permutation(prompts.length, seed, 0);
    for (let i = 0; i < prompts.length; i++) partOf.set(prompts[order(i)]!, next++ % parts);
  }
  return items.map(({ prompt }) => partOf.get(prompt)!);
}
