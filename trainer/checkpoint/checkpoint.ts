import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sync, temporaryName, writeAtomically } from '../../core/files.ts';
import { stableJson } from '../../core/hash.ts';
import type { Kind, Learner } from '../parallel/learner.ts';
import type { ModelConfig } from '../session.ts';
import { toHuggingFace } from './config.ts';
import { inFileOrder, openSafetensors, writeSafetensors, type StoredTensor } from './safetensors.ts';

/** Where a training stands. The learning rate is not part of it: it follows from the step. */
export interface TrainerState {
  /** Updates done. */
  step: number;
  /** Samples taken from the stream. */
  samples: number;
  /** Trained tokens so far. */
  tokens: number;
  seed: number;
  /** Digest of everything in the recipe that the run depends on. */
  recipe: string;
}

export interface CheckpointParts {
  learner: Learner;
  state: TrainerState;
  /** The token that ends a text or an answer, for config.json. */
  end: number;
  /** Files beside the weights by name: tokenizer.json, chat_template.jinja. */
  beside: Readonly<Record<string, string>>;
}

const NAME = /^step-(\d{8})$/;

/** `step-00000120` */
const checkpointName = (step: number): string => `step-${String(step).padStart(8, '0')}`;

/**
 * Writes `<folder>/step-NNNNNNNN`: model.safetensors, config.json, optimizer.safetensors, trainer.json and the files beside
 * them. Everything is written and flushed under a temporary name first, so that the folder appears whole or not at all.
 * Rank 0 writes whole tensors, whatever the mesh; the other ranks must call `lendTensors` meanwhile.
 */
export async function saveCheckpoint(folder: string, parts: CheckpointParts): Promise<string> {
  const { learner, state, end, beside } = parts;
  const path = join(folder, checkpointName(state.step));
  const temporary = temporaryName(path);
  try {
    mkdirSync(temporary, { recursive: true });
    writeSafetensors(join(temporary, 'model.safetensors'), stored(learner, ['weight']));
    writeSafetensors(join(temporary, 'optimizer.safetensors'), stored(learner, ['first', 'second']), {
      step: String(state.step),
    });
    await writeAtomically(
      join(temporary, 'config.json'),
      `${JSON.stringify(toHuggingFace(learner.config, end), null, 2)}\n`,
    );
    for (const [name, content] of Object.entries(beside)) await writeAtomically(join(temporary, name), content);
    await writeAtomically(join(temporary, 'trainer.json'), `${stableJson({ format: 1, ...state })}\n`);
    await sync(temporary);
    if (existsSync(path)) rmSync(path, { recursive: true });
    renameSync(temporary, path);
    await sync(dirname(path));
    return path;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw explainSystemError(error, path);
  }
}

/** What a rank other than 0 does while a checkpoint is written: it gives its parts of all tensors, in the order of the files. */
export function lendTensors(learner: Learner): void {
  for (const kinds of [['weight'], ['first', 'second']] as const)
    for (const { name, kind } of inFileOrder(names(learner, kinds))) learner.collect(whose(name, kind), kind);
}

/** Tensors of a file: weights by their names, moments with their kind before it. */
const names = (learner: Learner, kinds: readonly Kind[]) =>
  kinds.flatMap((kind) =>
    learner.tensors.map(({ name, shape }) => ({ name: kind === 'weight' ? name : `${kind}.${name}`, shape, kind })),
  );

const whose = (name: string, kind: Kind): string => (kind === 'weight' ? name : name.slice(kind.length + 1));

const stored = (learner: Learner, kinds: readonly Kind[]): StoredTensor[] =>
  names(learner, kinds).map(({ name, shape, kind }) => ({
    name,
    shape,
    data: () => learner.collect(whose(name, kind), kind)!,
  }));

/** The checkpoints of a run, oldest first. Temporary folders of a killed run do not count. */
export function checkpointsIn(folder: string): { step: number; path: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const step = NAME.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * Removes what a killed run left half-written, and of the finished checkpoints all but the last `keep`. Those that a stop
 * made between two regular ones go too: an undisturbed run has none. The one of step `best` stays.
 */
export function rotateCheckpoints(
  folder: string,
  keep: number,
  regular: (step: number) => boolean = () => true,
  best: number | null = null,
): void {
  if (!existsSync(folder)) return;
  const remove = (path: string) => rmSync(path, { recursive: true, force: true });
  for (const name of readdirSync(folder)) if (name.includes('.tmp-')) remove(join(folder, name));
  const all = checkpointsIn(folder);
  for (const { step, path } of all) if (!regular(step)) remove(path);
  for (const { step, path } of all.filter((c) => regular(c.step)).slice(0, -keep)) if (step !== best) remove(path);
}

/** Where the training of a checkpoint stood. Throws a GarnerError for a file that is missing or damaged. */
function readState(path: string): TrainerState {
  const file = join(path, 'trainer.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TrainerState;
  } catch (error) {
    if (error instanceof SyntaxError) throw new GarnerError({ what: 'this is no JSON', where: file }, error);
    throw explainSystemError(error, file);
  }
}

/** Opens what a training needs to go on from a checkpoint, and looks at the headers. Throws a GarnerError for a damaged file. */
export function checkCheckpoint(path: string): TrainerState {
  for (const name of ['model', 'optimizer']) openSafetensors(join(path, `${name}.safetensors`)).close();
  return readState(path);
}

/**
 * Weights of a checkpoint (a folder in Hugging Face's layout) into a learner. Every tensor must be there in its shape; only a
 * scalar head that a model of tokens lacks stays as the seed made it.
 */
export const loadWeights = (path: string, learner: Learner): void =>
  fill(join(path, 'model.safetensors'), learner, ['weight']);

/** Weights and optimizer state: the learner goes on as if it had never stopped, on whatever mesh. Each rank reads its parts. */
export function loadCheckpoint(path: string, learner: Learner): TrainerState {
  loadWeights(path, learner);
  fill(join(path, 'optimizer.safetensors'), learner, ['first', 'second']);
  return readState(path);
}

function fill(path: string, learner: Learner, kinds: readonly Kind[]): void {
  const file = openSafetensors(path);
  try {
    for (const { name, shape, kind } of names(learner, kinds)) {
      const there = file.tensors.get(name)?.shape;
      if (!there && name === 'score.weight') continue;
      if (there?.join() !== shape.join())
        throw new GarnerError({
          what: `tensor "${name}" is ${there ? `[${there.join(', ')}]` : 'missing'}, the model needs [${shape.join(', ')}]`,
          where: path,
          fault: 2,
        });
      learner.place(whose(name, kind), kind, file.read(name));
    }
  } finally {
    file.close();
  }
}

/** Reads a model for use: its configuration and its weights by name. The head of a tied model is its embedding. */
export function openModel(
  path: string,
  config: ModelConfig,
): { weights: (name: string) => Float32Array; close(): void } {
  const file = openSafetensors(join(path, 'model.safetensors'));
  const tied = config.tiedEmbeddings && !file.tensors.has('lm_head.weight');
  return {
    weights: (name) => file.read(tied && name === 'lm_head.weight' ? 'model.embed_tokens.weight' : name),
    close: () => file.close(),
  };
}
