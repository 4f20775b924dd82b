import { GarnerError } from '../../core/errors.ts';
import { openEngine } from '../engines/open.ts';
import { checkConfig, type ModelConfig } from '../model/config.ts';
import { head, llamaCached } from '../model/llama.ts';
import { weightsOf } from '../model/weights.ts';
import type { Tensor } from '../ops/define.ts';
import { fillTable } from '../ops/rope/reference.ts';
import { layOut, plan, type Program } from '../program/plan.ts';
import { record } from '../program/record.ts';
import { bind, reserveArena, viewOf } from '../program/replay.ts';

/** Tokens of a prompt that go through the model at once. */
const CHUNK = 32;

export interface DecoderOptions {
  /** The most tokens that it can hold. */
  length: number;
  threads: number;
  engine: 'cpu' | 'reference';
}

/** A model with a cache of keys and values, for sampling. */
export interface Decoder {
  /** Forgets all tokens. */
  reset(): void;
  /** Logits [vocabulary] after these tokens; a view that the next call overwrites. Throws RangeError beyond `length`. */
  feed(tokens: readonly number[]): Float32Array;
  /** Tokens it can hold. */
  length: number;
  /** It feeds no more; its threads stay for the next one. */
  close(): void;
}

/**
 * Opens a decoder on a copy of the weights, which `weights` gives by their Hugging Face names.
 * Two programs are recorded: one token with logits, and a chunk of a prompt without.
 */
export function openDecoder(
  config: ModelConfig,
  weights: (name: string) => Float32Array,
  options: DecoderOptions,
): Decoder {
  checkConfig(config);
  const { length } = options;
  if (!Number.isInteger(length) || length < 1)
    throw new GarnerError({ what: `a decoder of ${length} tokens cannot be opened`, fault: 2 });
  const engine = openEngine(options.engine, options.threads);
  const specs = weightsOf(config);
  const weightTensors = specs.map(({ name, shape }): Tensor => ({ name, shape, type: 'f32', zone: 'weights' }));
  const byName = new Map(weightTensors.map((w) => [w.name, w]));
  const weight = (name: string) => byName.get(`${name}.weight`)!;
  const input = (name: string, shape: number[], type: 'i32' | 'f32'): Tensor => ({ name, shape, type, zone: 'inputs' });
  const cache = (name: string) => input(name, [length, config.keyValueHeads * config.headSize], 'f32');
  const caches = Array.from({ length: config.layers }, () => ({ keys: cache('keys'), values: cache('values') }));
  const table = input('table', [length, config.headSize], 'f32');
  const some = (count: number) => ({
    tokens: input('tokens', [count], 'i32'),
    positions: input('positions', [count], 'i32'),
    table,
  });

  const one = some(1);
  const many = some(CHUNK);
  const next = record(() => head(config, weight, llamaCached(config, weight, one, caches)));
  const prompt = record(() => llamaCached(config, weight, many, caches));
  const programs = {
    next: { calls: next.tape.calls, keep: [next.result] } satisfies Program,
    prompt: { calls: prompt.tape.calls, keep: [prompt.result] } satisfies Program,
  };
  const plans = { next: plan(programs.next), prompt: plan(programs.prompt) };

  const places = new Map<Tensor, number>();
  const inputs = [table, one.tokens, one.positions, many.tokens, many.positions];
  const bytes = {
    weights: layOut(weightTensors, 4, places, false),
    inputs: layOut([...inputs, ...caches.flatMap((c) => [c.keys, c.values])], 4, places, true),
    activations: Math.max(plans.next.activations, plans.prompt.activations),
    gradients: 0,
    optimizer: 0,
  };
  const arena = reserveArena(engine, bytes, places);
  weightTensors.forEach((tensor) => {
    const from = weights(tensor.name);
    const to = viewOf(tensor, arena, plans.next);
    if (from.length !== to.length)
      throw new GarnerError({
        what: `${tensor.name} has ${from.length} numbers, the model's shape asks for ${to.length}`,
        hint: 'config.json and the weights are not of one model',
      });
    to.set(from);
  });
  fillTable(viewOf(table, arena, plans.next), length, config.headSize, config.ropeTheta);
  const logits = viewOf(next.result, arena, plans.next) as Float32Array;
  const views = [one, many].map((inputs_) => ({
    tokens: viewOf(inputs_.tokens, arena, plans.next),
    positions: viewOf(inputs_.positions, arena, plans.next),
  }));
  const runs = [bind(programs.next, plans.next, arena, engine), bind(programs.prompt, plans.prompt, arena, engine)];

  let held = 0;
  const run = (which: 0 | 1, tokens: readonly number[], from: number, count: number) => {
    const { tokens: ids, positions } = views[which]!;
    for (let i = 0; i < count; i++) {
      ids[i] = tokens[from + i]!;
      positions[i] = held + i;
    }
    runs[which]!();
    held += count;
  };
  return {
    length,
    reset: () => void (held = 0),
    close: () => engine.close(),
    feed(tokens) {
      if (tokens.length === 0) throw new RangeError('no tokens to feed');
      if (held + tokens.length > length)
        throw new RangeError(`${held + tokens.length} tokens, the decoder holds ${length}`);
      for (const id of tokens)
        if (!Number.isInteger(id) || id < 0 || id >= config.vocabulary)
          throw new RangeError(`token ${id}: the vocabulary has ${config.vocabulary}`);
      let from = 0;
      // The last token always goes alone: only that program ends in logits.
      for (; tokens.length - from > CHUNK; from += CHUNK) run(1, tokens, from, CHUNK);
      for (; from < tokens.length; from++) run(0, tokens, from, 1);
      return logits;
    },
  };
}
