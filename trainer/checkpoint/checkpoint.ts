import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { sync, temporaryName, writeAtomically } from '../../core/files.ts';
import { stableJson } from '../../core/hash.ts';
import { adapterOf } from '../lora/lora.ts';
import { mergeAdapter } from '../lora/merge.ts';
import { peftConfig, peftName } from '../lora/peft.ts';
import type { Kind, Learner } from '../parallel/learner.ts';
import type { ModelConfig } from '../session.ts';
import { toHuggingFace } from './config.ts';
import { inFileOrder, openSafetensors, writeSafetensors } from './safetensors.ts';

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

const MODEL = 'model.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
/** A folder of its own: beside a model's files, Transformers would take the adapter for what the folder is. */
const ADAPTER = 'adapter';
const ADAPTERS = join(ADAPTER, 'adapter_model.safetensors');
const NAME = /^step-(\d{8})$/;

/** `step-00000120` */
const checkpointName = (step: number): string => `step-${String(step).padStart(8, '0')}`;

/**
 * Writes `<folder>/step-NNNNNNNN`: model.safetensors, config.json, optimizer.safetensors, trainer.json and the files beside
 * them; of a model with adapters the merged weights, and the adapters as PEFT reads them in a folder of their own. Everything is written and flushed under a temporary name first, so that the folder appears whole or not at all.
 * Rank 0 writes whole tensors, whatever the mesh; the other ranks must call `lendTensors` meanwhile.
 */
export async function saveCheckpoint(folder: string, parts: CheckpointParts): Promise<string> {
  const { learner, state, end, beside } = parts;
  const path = join(folder, checkpointName(state.step));
  const temporary = temporaryName(path);
  try {
    mkdirSync(temporary, { recursive: true });
    const { lora, tiedEmbeddings } = learner.config;
    if (lora) mkdirSync(join(temporary, ADAPTER));
    for (const { file, tensors } of filesOf(learner)) {
      const metadata = file === OPTIMIZER ? { step: String(state.step) } : undefined;
      writeSafetensors(
        join(temporary, file),
        tensors.map(({ name, shape, parts, make }) => ({
          name,
          shape,
          data: () => make(parts.map((part) => learner.collect(part.name, part.kind)!)),
        })),
        metadata,
      );
    }
    if (lora) {
      const config = `${JSON.stringify(peftConfig(lora, tiedEmbeddings), null, 2)}\n`;
      await writeAtomically(join(temporary, ADAPTER, 'adapter_config.json'), config);
      await sync(join(temporary, ADAPTER));
    }
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
  for (const { tensors } of filesOf(learner))
    for (const { parts } of inFileOrder(tensors)) for (const { name, kind } of parts) learner.collect(name, kind);
}

/** A tensor of a file, made of tensors of a learner. */
interface Made {
  name: string;
  shape: readonly number[];
  parts: readonly { name: string; kind: Kind }[];
  make: (parts: Float32Array[]) => Float32Array;
}

/** The files of a checkpoint that hold tensors, in the order in which they are written. */
function filesOf(learner: Learner): { file: string; tensors: Made[] }[] {
  const { lora } = learner.config;
  const trained = learner.tensors.filter((t) => t.trained);
  const made = (name: string, { name: of, shape }: { name: string; shape: readonly number[] }, kind: Kind): Made => ({
    name,
    shape,
    parts: [{ name: of, kind }],
    make: ([tensor]) => tensor!,
  });
  const merged = (tensor: Learner['tensors'][number]): Made => {
    const plain = made(tensor.name, tensor, 'weight');
    const adapter = adapterOf(tensor.name, lora);
    if (!lora || !adapter) return plain;
    const parts = [tensor.name, adapter.a, adapter.b].map((name) => ({ name, kind: 'weight' as const }));
    return { ...plain, parts, make: ([w, a, b]) => mergeAdapter(w!, a!, b!, lora) };
  };
  const moments = (['first', 'second'] as const).flatMap((kind) =>
    trained.map((tensor) => made(`${kind}.${tensor.name}`, tensor, kind)),
  );
  return [
    { file: MODEL, tensors: learner.tensors.filter((t) => !lora || !t.trained).map(merged) },
    ...(lora ? [{ file: ADAPTERS, tensors: trained.map((t) => made(peftName(t.name), t, 'weight')) }] : []),
    { file: OPTIMIZER, tensors: moments },
  ];
}

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
  const adapted = existsSync(join(path, ADAPTER));
  for (const name of adapted ? [MODEL, ADAPTERS, OPTIMIZER] : [MODEL, OPTIMIZER])
    openSafetensors(join(path, name)).close();
  return readState(path);
}

/**
 * Weights of a checkpoint (a folder in Hugging Face's layout) into a learner. Every tensor must be there in its shape; only
 * adapters, and a scalar head that a model of tokens lacks, stay as the seed made them, and a table of fewer tokens gets rows
 * that are the mean of those it has.
 */
export function loadWeights(path: string, learner: Learner): void {
  const { lora } = learner.config;
  const wanted = learner.tensors.filter((t) => !(lora && t.trained));
  readInto(
    join(path, MODEL),
    learner,
    wanted.map(({ name, shape }) => ({ stored: name, name, shape, kind: 'weight' })),
  );
}

/**
 * Weights and optimizer state: the learner goes on as if it had never stopped, on whatever mesh. Each rank reads its parts.
 * A learner with adapters has the weights below them already.
 */
export function loadCheckpoint(path: string, learner: Learner): TrainerState {
  const trained = learner.tensors.filter((t) => t.trained);
  if (learner.config.lora)
    readInto(
      join(path, ADAPTERS),
      learner,
      trained.map(({ name, shape }) => ({ stored: peftName(name), name, shape, kind: 'weight' })),
    );
  else loadWeights(path, learner);
  readInto(
    join(path, OPTIMIZER),
    learner,
    (['first', 'second'] as const).flatMap((kind) =>
      trained.map(({ name, shape }) => ({ stored: `${kind}.${name}`, name, shape, kind })),
    ),
  );
  return readState(path);
}

/** A tensor of a learner, and its name in a file. */
interface Wanted {
  stored: string;
  name: string;
  shape: readonly number[];
  kind: Kind;
}

function readInto(path: string, learner: Learner, wanted: readonly Wanted[]): void {
  const file = openSafetensors(path);
  try {
    for (const { stored, name, shape, kind } of wanted) {
      const there = file.tensors.get(stored)?.shape;
      if (!there && name === 'score.weight') continue;
      const [rows = 0, width] = there ?? [];
      const grows = kind === 'weight' && TABLES.has(name) && rows < shape[0]! && width === shape[1];
      if (there?.join() !== shape.join() && !grows)
        throw new GarnerError({
          what: `tensor "${stored}" is ${there ? `[${there.join(', ')}]` : 'missing'}, the model needs [${shape.join(', ')}]`,
          where: path,
          fault: 2,
        });
      const tensor = file.read(stored);
      learner.place(name, kind, grows ? withRows(tensor, shape[0]!, width!) : tensor);
    }
  } finally {
    file.close();
  }
}

const TABLES = new Set(['model.embed_tokens.weight', 'lm_head.weight']);

/** A table with more rows: the new ones are the mean of the others. */
function withRows(table: Float32Array, rows: number, width: number): Float32Array {
  const mean = new Float64Array(width);
  const count = table.length / width;
  for (let i = 0; i < table.length; i++) mean[i % width]! += table[i]! / count;
  const grown = new Float32Array(rows * width);
  grown.set(table);
  for (let at = table.length; at < grown.length; at += width) grown.set(mean, at);
  return grown;
}

/** Reads a model for use: its configuration and its weights by name. The head of a tied model is its embedding. */
export function openModel(
  path: string,
  config: ModelConfig,
): { weights: (name: string) => Float32Array; close(): void } {
  const file = openSafetensors(join(path, MODEL));
  const tied = config.tiedEmbeddings && !file.tensors.has('lm_head.weight');
  return {
    weights: (name) => file.read(tied && name === 'lm_head.weight' ? 'model.embed_tokens.weight' : name),
    close: () => file.close(),
  };
}
