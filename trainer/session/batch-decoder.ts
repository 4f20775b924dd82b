import { GarnerError } from '../../core/errors.ts';
import { openEngine } from '../engines/open.ts';
import { checkConfig, type ModelConfig } from '../model/config.ts';
import { headName, llamaCached, type Multiply } from '../model/llama.ts';
import { weightsOf } from '../model/weights.ts';
import { cacheShapes } from '../ops/attention/op.ts';
import { sizeOf, type Tensor } from '../ops/define.ts';
import { draw } from '../ops/draw/op.ts';
import { linearPacked, packedShape, packWeight } from '../ops/linear-packed/op.ts';
import { fillTable } from '../ops/rope/reference.ts';
import { bytesOf, layOut, plan, storageOf, type Plan, type Program } from '../program/plan.ts';
import { record } from '../program/record.ts';
import { bind, reserveArena, viewOf } from '../program/replay.ts';

/** A weight by its Hugging Face name. */
export type WeightOf = (name: string) => Float32Array;

export interface BatchDecoderOptions {
  /** Sequences that it can hold at one time. */
  slots: number;
  /** The most tokens of a sequence. */
  length: number;
  /** The most tokens of a step, over all sequences; at least one a slot. */
  rows: number;
  threads: number;
  engine: 'cpu' | 'reference';
  /** Tokens that are never drawn. */
  never?: readonly number[];
}

/** A token at its place. */
export interface Fed {
  slot: number;
  position: number;
  token: number;
}

/** How to draw the token after one that was fed: at `u` in [0, 1), with this temperature (0: the likeliest). */
export interface Draw {
  temperature: number;
  u: number;
}

/** What a step gives for its first rows; views that the next step overwrites. */
export interface Drawn {
  /** [draws × V]. */
  logits: Float32Array;
  /** A token each, of the whole distribution but for those that are never drawn. */
  picked: Int32Array;
  /** ln Σ exp(z/T): the log-probability of id is z[id]/T − level, at T = 0 with T = 1. */
  levels: Float64Array;
}

/** A model with a cache of keys and values for several sequences. */
export interface BatchDecoder {
  config: ModelConfig;
  slots: number;
  length: number;
  rows: number;
  never: readonly number[];
  /** Takes a copy of other weights of the same shape; what is in the cache stays as it was. */
  load(weights: WeightOf): void;
  /**
   * Feeds tokens; a sequence's go in order, each place after what is in its slot. The first draws.length of them get logits and
   * a draw. A token's results are the same bits whatever else is in the step. Throws RangeError for what is outside.
   */
  step(fed: readonly Fed[], draws: readonly Draw[]): Drawn;
  /** Copies the first tokens of a slot into another one. */
  copy(from: number, to: number, tokens: number): void;
  /** Bytes: weights, and the cache of keys and values. */
  memory(): { weights: number; cache: number };
  /** It feeds no more; its threads stay for the next one. */
  close(): void;
}

/**
 * Opens a decoder on a copy of the weights, matrices packed for products with few rows. A program is recorded for the largest
 * step; smaller ones use its places, and are bound when they first occur.
 */
export function openBatchDecoder(config: ModelConfig, weights: WeightOf, options: BatchDecoderOptions): BatchDecoder {
  checkConfig(config);
  const { slots, length, rows } = options;
  if (![slots, length, rows].every((n) => Number.isInteger(n) && n >= 1) || rows < slots)
    throw new GarnerError({
      what: `a decoder of ${slots} × ${length} tokens, ${rows} a step, cannot be opened`,
      fault: 2,
    });
  if (config.head === 'score')
    throw new GarnerError({
      what: 'a reward model scores answers and writes none',
      hint: 'name another run; "garner score" asks it for rewards',
      fault: 2,
    });
  const engine = openEngine(options.engine, options.threads);
  const t = tensorsOf(config, options);
  const { vocabulary, width } = config;

  const largest = record(() => body(config, t, rows));
  const bodyPlan = plan({ calls: largest.tape.calls, keep: [largest.result] });
  const headTensors = record(() => head(config, t, rows, hidden(rows, width)));
  const places = new Map<Tensor, number>();
  const { logits, picked, levels } = headTensors.result;
  const behind = layOut([logits, picked, levels], 4, places, true);
  const at = (tensor: Tensor) => bodyPlan.activations + places.get(tensor)!;
  const headPlaces = { logits: at(logits), picked: at(picked), levels: at(levels) };
  const fixed = new Map<Tensor, number>();
  const caches = t.caches.flatMap((c) => [c.keys, c.values]);
  const bytes = {
    weights: layOut([...t.plain.values(), ...t.packed.values()], 4, fixed, true),
    inputs: layOut([...Object.values(t.inputs), ...caches], 4, fixed, true),
    activations: bodyPlan.activations + behind,
    gradients: 0,
    optimizer: 0,
  };
  const arena = reserveArena(engine, bytes, fixed);
  const view = (tensor: Tensor) => viewOf(tensor, arena, bodyPlan);

  const load = (from: WeightOf) => {
    for (const { name, shape } of weightsOf(config)) {
      const given = from(name);
      if (given.length !== sizeOf(shape))
        throw new GarnerError({
          what: `${name} has ${given.length} numbers, the model's shape asks for ${sizeOf(shape)}`,
          hint: 'config.json and the weights are not of one model',
        });
      const key = name.slice(0, -'.weight'.length);
      const plain = t.plain.get(key);
      if (plain) (view(plain) as Float32Array).set(given);
      const packed = t.packed.get(key);
      if (packed) packWeight(view(packed) as Float32Array, given, shape[1]!);
    }
  };
  load(weights);
  fillTable(view(t.inputs.table), length, config.headSize, config.ropeTheta);
  const allowed = view(t.inputs.allowed).fill(1);
  for (const id of options.never ?? []) allowed[id] = 0;

  const runs = new Map<number, () => void>();
  const bodyOf = (count: number) => {
    let run = runs.get(count);
    if (!run) {
      const { tape } = record(() => body(config, t, count));
      const place = samePlaces(tape, largest.tape, bodyPlan);
      runs.set(count, (run = bind({ calls: tape.calls, keep: [] }, { ...bodyPlan, place }, arena, engine)));
    }
    return run;
  };
  const heads = new Map<number, Drawn & { run: () => void }>();
  const headOf = (count: number) => {
    let found = heads.get(count);
    if (!found) {
      const x = hidden(count, width);
      const { tape, result } = record(() => head(config, t, count, x));
      const place = new Map([
        [x, bodyPlan.place.get(storageOf(largest.result))!],
        [result.logits, headPlaces.logits],
        [result.picked, headPlaces.picked],
        [result.levels, headPlaces.levels],
      ]);
      const itsPlan = { ...bodyPlan, place };
      found = {
        logits: viewOf(result.logits, arena, itsPlan) as Float32Array,
        picked: viewOf(result.picked, arena, itsPlan) as Int32Array,
        levels: viewOf(result.levels, arena, itsPlan) as Float64Array,
        run: bind({ calls: tape.calls, keep: [] }, itsPlan, arena, engine),
      };
      heads.set(count, found);
    }
    return found;
  };

  const into = {
    tokens: view(t.inputs.tokens),
    positions: view(t.inputs.positions),
    slots: view(t.inputs.slots),
    temperature: view(t.inputs.temperature),
    u: view(t.inputs.u),
  };
  const none: Drawn = { logits: new Float32Array(), picked: new Int32Array(), levels: new Float64Array() };
  return {
    config,
    slots,
    length,
    rows,
    never: options.never ?? [],
    load,
    memory: () => ({ weights: bytes.weights, cache: caches.reduce((sum, c) => sum + bytesOf(c, 4), 0) }),
    close: () => engine.close(),
    step(fed, draws) {
      if (fed.length < 1 || fed.length > rows || draws.length > fed.length || draws.length > slots)
        throw new RangeError(`${fed.length} tokens and ${draws.length} draws in a step of at most ${rows}, ${slots}`);
      fed.forEach(({ slot, position, token }, i) => {
        check('token', token, vocabulary, 'the vocabulary has');
        check('slot', slot, slots, 'there are');
        check('position', position, length, 'a sequence holds');
        into.tokens[i] = token;
        into.slots[i] = slot;
        into.positions[i] = position;
      });
      draws.forEach(({ temperature, u }, i) => {
        into.temperature[i] = temperature;
        into.u[i] = u;
      });
      bodyOf(fed.length)();
      if (draws.length === 0) return none;
      const found = headOf(draws.length);
      found.run();
      return found;
    },
    copy(from, to, tokens) {
      check('slot', from, slots, 'there are');
      check('slot', to, slots, 'there are');
      check('tokens', tokens - 1, length, 'a sequence holds');
      for (const { keys, values } of t.caches) {
        const [, groups, blocks, size, block] = keys.shape as [number, number, number, number, number];
        const group = blocks * block * size;
        for (const cache of [view(keys), view(values)])
          for (let g = 0; g < groups; g++) {
            const start = (from * groups + g) * group;
            // whole blocks: a key's numbers are not neighbours
            cache.copyWithin((to * groups + g) * group, start, start + Math.ceil(tokens / block) * block * size);
          }
      }
    },
  };
}

function check(what: string, value: number, below: number, words: string): void {
  if (!Number.isInteger(value) || value < 0 || value >= below)
    throw new RangeError(`${what} ${value}: ${words} ${below}`);
}

interface Tensors {
  /** The embedding's table and the norms, by name without `.weight`. */
  plain: Map<string, Tensor>;
  /** Matrices as panels. */
  packed: Map<string, Tensor>;
  /** Outputs of a matrix. */
  out: Map<string, number>;
  inputs: Record<'tokens' | 'positions' | 'slots' | 'table' | 'allowed' | 'temperature' | 'u', Tensor>;
  caches: { keys: Tensor; values: Tensor }[];
}

function tensorsOf(config: ModelConfig, { slots, length, rows }: BatchDecoderOptions): Tensors {
  const plain = new Map<string, Tensor>();
  const packed = new Map<string, Tensor>();
  const out = new Map<string, number>();
  for (const { name: whole, shape } of weightsOf(config)) {
    const name = whole.slice(0, -'.weight'.length);
    if (shape.length === 1 || name === 'model.embed_tokens')
      plain.set(name, { name, shape, type: 'f32', zone: 'weights' });
    if (shape.length === 1 || (name === 'model.embed_tokens' && headName(config) !== name)) continue;
    packed.set(name, { name: `${name} packed`, shape: packedShape(shape), type: 'f32', zone: 'weights' });
    out.set(name, shape[0]!);
  }
  const input = (name: string, shape: number[], type: Tensor['type'] = 'f32'): Tensor => ({
    name,
    shape,
    type,
    zone: 'inputs',
  });
  const cache = cacheShapes(slots, length, { groups: config.keyValueHeads, size: config.headSize });
  return {
    plain,
    packed,
    out,
    inputs: {
      tokens: input('tokens', [rows], 'i32'),
      positions: input('positions', [rows], 'i32'),
      slots: input('slots', [rows], 'i32'),
      table: input('table', [length, config.headSize]),
      allowed: input('allowed', [config.vocabulary]),
      temperature: input('temperature', [rows], 'f64'),
      u: input('u', [rows], 'f64'),
    },
    caches: Array.from({ length: config.layers }, () => ({
      keys: input('keys', cache.keys),
      values: input('values', cache.values),
    })),
  };
}

/** The first `count` places of an input. */
const first = (tensor: Tensor, count: number): Tensor => ({ ...tensor, shape: [count], over: tensor, alias: true });

const hidden = (rows: number, width: number): Tensor => ({
  name: 'hidden',
  shape: [rows, width],
  type: 'f32',
  zone: 'activations',
});

const multiplyBy =
  ({ packed, out }: Tensors): Multiply =>
  (x, name) =>
    linearPacked({ x, w: packed.get(name)! }, { out: out.get(name)! }).y;

function body(config: ModelConfig, t: Tensors, count: number): Tensor {
  const { tokens, positions, slots, table } = t.inputs;
  const inputs = {
    tokens: first(tokens, count),
    positions: first(positions, count),
    slots: first(slots, count),
    table,
  };
  return llamaCached(config, (name) => t.plain.get(name)!, multiplyBy(t), inputs, t.caches);
}

function head(
  config: ModelConfig,
  t: Tensors,
  count: number,
  x: Tensor,
): Record<'logits' | 'picked' | 'levels', Tensor> {
  const logits = multiplyBy(t)(x, headName(config));
  const { allowed, temperature, u } = t.inputs;
  return { logits, ...draw({ logits, allowed, temperature: first(temperature, count), u: first(u, count) }) };
}

/** The activations of a smaller program where those of the largest lie, which is the same list of calls. */
function samePlaces(smaller: Pick<Program, 'calls'>, largest: Pick<Program, 'calls'>, of: Plan): Map<Tensor, number> {
  const place = new Map<Tensor, number>();
  smaller.calls.forEach(({ tensors }, i) =>
    tensors.forEach((tensor, j) => {
      const base = storageOf(tensor);
      if (base.zone === 'activations') place.set(base, of.place.get(storageOf(largest.calls[i]!.tensors[j]!))!);
    }),
  );
  return place;
}
