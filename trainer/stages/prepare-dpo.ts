import type { Inputs } from '../../core/stage/index.ts';
import { GarnerError } from '../../core/errors.ts';
import { answerPiece } from '../align/answers.ts';
import { ktoObjective } from '../align/kto.ts';
import { readLabelled, readPairs } from '../align/pairs.ts';
import { preferObjective } from '../align/prefer.ts';
import type { DpoSection } from '../align/recipe.ts';
import { coursesOf, type Course } from '../align/stream.ts';
import { refusalDecision, type Refused } from '../data/read.ts';
import { isRefusal, preferenceOf, unpairedOf, type Place } from '../data/shapes.ts';
import type { Objective } from './objective.ts';
import { stepsOf } from './plan.ts';
import { dataNotices, openBase, planPacked, type Base, type DataFile } from './prepare-align.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its data by path and content. */
export type DpoParams = Omit<DpoSection, 'name' | 'data'> & { name: string; data: DataFile[] };

/** Answers that are shown on the way where the recipe names no prompts. */
const SHOWN = 4;

/** Makes the training of a model on preferences; alike on every rank. */
export async function prepareDpo(lake: string, p: DpoParams, inputs: Inputs): Promise<Training> {
  const base = openBase('dpo', p.from, lake, inputs);
  const { config, vocabulary, chat } = base;
  const sequence = p.sequence ?? config.context;
  const read = p.loss === 'kto' ? await labelled(p, base, sequence) : await paired(p, base, sequence);
  const { courses } = read;
  const most = Math.max(...courses.map((c) => c.train.length));
  const steps = stepsOf(p, { batch: p.batch, sequence, count: most, epochs: 1 });
  const planned = planPacked('dpo', p, config, {
    steps: steps * courses.length,
    course: steps,
    sequence,
    tokens: read.tokens,
    padding: vocabulary.endOfText,
  });
  return {
    config,
    plan: planned.plan,
    learner: planned.learner,
    objective: read.objective({
      beta: p.beta,
      steps,
      batch: p.batch,
      seed: p.seed,
      validateEvery: p.validation.every,
      shape: planned.shape,
    }),
    vocabulary,
    weights: base.checkpoint,
    checkpoint: p.checkpoint,
    sampling: {
      every: p.sample.every,
      prompts:
        p.sample.prompts.length > 0
          ? p.sample.prompts.map((text) => ({ text, ids: chat.prompt([{ role: 'user', content: text }]) }))
          : read.prompts.slice(0, SHOWN),
      tokens: p.sample.tokens,
      temperature: p.sample.temperature,
      topK: p.sample.top_k,
    },
    end: chat.end,
    beside: base.beside,
    found: {
      counts: { ...read.counts, held_out: courses.reduce((sum, c) => sum + c.held.length, 0), cut: read.cut },
      notices: dataNotices(p.data, read, sequence),
      decisions: read.out.map((r) => refusalDecision('dpo', r)),
    },
  };
}

/** What both losses of the plan share. */
interface Shared {
  beta: number;
  steps: number;
  batch: number;
  seed: number;
  validateEvery: number;
  shape: Parameters<typeof ktoObjective>[0]['shape'];
}

/** Data that has been read, and the objective over it. */
interface Found {
  courses: Course[];
  refused: Record<string, number>;
  out: Refused[];
  cut: number;
  /** Of a sample, about. */
  tokens: number;
  counts: Record<string, number>;
  prompts: { text: string; ids: number[] }[];
  objective: (shared: Shared) => Objective;
}

async function paired(p: DpoParams, { chat, vocabulary }: Base, sequence: number): Promise<Found> {
  const read = await readPairs(
    p.data.map((f) => f.path),
    preferenceOf,
    chat,
    sequence,
  );
  const pairs = read.items;
  const courses = coursesOf(pairs, { folds: p.folds ?? 1, share: p.validation.share, seed: p.seed });
  return {
    ...read,
    courses,
    tokens:
      pairs.reduce((sum, { chosen, rejected }) => sum + chosen.ids.length + rejected.ids.length, 0) / pairs.length,
    counts: { pairs: pairs.length, refused: countOf(read.refused) },
    prompts: shown(
      shownOf(courses).map((i) => pairs[i]!.chosen),
      vocabulary,
    ),
    objective: (shared) =>
      preferObjective({ ...shared, pairs, courses, loss: p.loss === 'ipo' ? 'ipo' : 'dpo', smoothing: p.smoothing }),
  };
}

async function labelled(p: DpoParams, { chat, vocabulary }: Base, sequence: number): Promise<Found> {
  if (p.batch < 2)
    throw new GarnerError({
      what: 'kto with a batch of 1',
      where: 'dpo.batch',
      hint: 'it compares each prompt with the next answer of its batch: take 2 and more',
      fault: 2,
    });
  const shape = (value: unknown, place: Place) => {
    const pair = preferenceOf(value, place);
    return isRefusal(pair) && pair.reason === 'no_pair' ? unpairedOf(value, place) : pair;
  };
  const read = await readLabelled(
    p.data.map((f) => f.path),
    shape,
    chat,
    sequence,
  );
  const answers = read.items;
  if (p.folds !== undefined)
    throw new GarnerError({ what: 'kto with folds', where: 'dpo.folds', hint: 'folds are for pairs', fault: 2 });
  const courses = coursesOf(answers, { folds: 1, share: p.validation.share, seed: p.seed });
  return {
    ...read,
    courses,
    tokens: answers.reduce((sum, { answer }) => sum + answerPiece(answer).tokens.length, 0) / answers.length,
    counts: { answers: answers.length, good: answers.filter((a) => a.good).length, refused: countOf(read.refused) },
    prompts: shown(
      shownOf(courses).map((i) => answers[i]!.answer),
      vocabulary,
    ),
    objective: (shared) => ktoObjective({ ...shared, ...courses[0]!, answers, weights: p.weights }),
  };
}

const countOf = (refused: Record<string, number>) => Object.values(refused).reduce((a, b) => a + b, 0);

/** Items whose prompts are shown: such as are held out, where any are. */
const shownOf = ([first]: readonly Course[]): number[] => (first!.held.length > 0 ? first!.held : first!.train);

/** Different prompts, as they stand before an answer. */
function shown(answers: readonly { ids: number[]; prompt: number }[], vocabulary: Base['vocabulary']) {
  const prompts = new Map<string, { text: string; ids: number[] }>();
  for (const { ids, prompt } of answers) {
    if (prompts.size === SHOWN) break;
    const before = ids.slice(0, prompt);
    const text = Buffer.concat(before.map((id) => vocabulary.bytes(id))).toString('utf8');
    prompts.set(before.join(), { text, ids: before });
  }
  return [...prompts.values()];
}
