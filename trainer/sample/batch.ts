import type { BatchDecoder, Draw, Fed } from '../session/batch-decoder.ts';
import { choose, likeliest, uniform, type Choice } from './choose.ts';
import type { Ended } from './generate.ts';

export interface SampleRequest extends Choice {
  /** At least one token. */
  prompt: readonly number[];
  /** Most tokens to make. */
  tokens: number;
  seed: number;
  /** Which of several texts of one seed: each has its own draws. */
  sequence: number;
  /** Tokens that end the text. */
  stop: readonly number[];
  /** How many of the likeliest tokens come with each one that is drawn (default 0). */
  alternatives?: number;
}

/** A token that was drawn. */
export interface Token {
  id: number;
  /** ln of its probability under the model, temperature applied (0 counts as 1), before top-k, top-p and what is never drawn. */
  logprob: number;
  /** The likeliest tokens at this place. */
  alternatives: readonly { id: number; logprob: number }[];
}

/** What becomes of a request; a stop token is told like any other, before the end. */
export interface Listener {
  token(token: Token): void;
  end(ended: Ended): void;
}

/** Sequences that are decoded together: each step takes one token of every sequence that writes, and prompts fill it up. */
export interface Batch {
  /** Sequences that can still be added. */
  free(): number;
  /** Throws RangeError where none is free or the prompt does not fit. The function it returns stops the sequence. */
  add(request: SampleRequest, listener: Listener): () => void;
  /** One step for all; false where there was nothing to do. Listeners are called inside. */
  step(): boolean;
}

interface Sequence {
  slot: number;
  request: SampleRequest;
  listener: Listener;
  /** The token to feed next, once the prompt is in; of the prompt, `held` says which. */
  last: number;
  /** Tokens in the slot, those of the step that is gathered included. */
  held: number;
  /** Tokens that the decoder has read: what another sequence can copy. */
  read: number;
  made: number;
}

/** Opens a batch over a decoder, which nobody else steps meanwhile. */
export function openBatch(decoder: BatchDecoder): Batch {
  const live: (Sequence | undefined)[] = Array.from({ length: decoder.slots });
  const sequences = () => live.filter((s) => s !== undefined);
  const drop = (s: Sequence) => {
    if (live[s.slot] === s) live[s.slot] = undefined;
  };
  const end = (s: Sequence, ended: Ended) => {
    drop(s);
    s.listener.end(ended);
  };

  const took = (s: Sequence, token: Token) => {
    s.made++;
    s.last = token.id;
    s.listener.token(token);
    // The listener may have stopped it.
    if (live[s.slot] !== s) return;
    if (s.request.stop.includes(token.id)) end(s, 'stop');
    else if (s.made === s.request.tokens) end(s, 'tokens');
    else if (s.held === decoder.length) end(s, 'context');
  };

  return {
    free: () => live.filter((s) => s === undefined).length,
    add(request, listener) {
      const slot = live.indexOf(undefined);
      if (slot < 0) throw new RangeError(`all ${decoder.slots} places are taken`);
      const { prompt } = request;
      if (prompt.length < 1 || prompt.length > decoder.length)
        throw new RangeError(`a prompt of ${prompt.length} tokens, a sequence holds 1 to ${decoder.length}`);
      const s: Sequence = { slot, request, listener, last: prompt.at(-1)!, held: 0, read: 0, made: 0 };
      live[slot] = s;
      return () => drop(s);
    },
    step() {
      const { fed, drawing } = gather(sequences(), decoder);
      if (fed.length === 0) return false;
      const draws = drawing.map(({ request: r, made }): Draw => ({
        temperature: r.temperature,
        u: uniform(r.seed, r.sequence, made),
      }));
      const { logits, picked, levels } = decoder.step(fed, draws);
      for (const s of sequences()) s.read = s.held;
      const tokens = drawing.map(({ request }, i) => {
        const row = logits.subarray(i * decoder.config.vocabulary, (i + 1) * decoder.config.vocabulary);
        return tokenOf(row, picked[i]!, levels[i]!, draws[i]!.u, request, decoder.never);
      });
      drawing.forEach((s, i) => {
        if (live[s.slot] === s) took(s, tokens[i]!);
      });
      return true;
    },
  };
}

/** The tokens of a step, those that are drawn after first: one of each sequence that writes, then prompts, the oldest first. */
function gather(all: readonly Sequence[], decoder: BatchDecoder): { fed: Fed[]; drawing: Sequence[] } {
  const drawing: Sequence[] = [];
  const last: Fed[] = [];
  const before: Fed[] = [];
  const inPrompt = (s: Sequence) => s.held < s.request.prompt.length - 1;
  const feedLast = (s: Sequence) => {
    drawing.push(s);
    last.push({ slot: s.slot, position: s.held++, token: s.last });
  };
  for (const s of all) if (!inPrompt(s)) feedLast(s);
  for (const s of all) {
    const { prompt } = s.request;
    if (!inPrompt(s) || drawing.includes(s)) continue;
    if (s.held === 0 && share(s, all, decoder) === 'wait') continue;
    while (inPrompt(s) && last.length + before.length < decoder.rows)
      before.push({ slot: s.slot, position: s.held, token: prompt[s.held++]! });
    if (!inPrompt(s) && last.length + before.length < decoder.rows) feedLast(s);
  }
  return { fed: [...last, ...before], drawing };
}

/** A sequence whose prompt another one has already, or is reading now, takes it from there: n answers read a prompt once. */
function share(s: Sequence, all: readonly Sequence[], decoder: BatchDecoder): 'alone' | 'wait' | 'taken' {
  const { prompt } = s.request;
  const source = all.find((o) => o !== s && o.held > 0 && equal(o.request.prompt, prompt));
  if (!source) return 'alone';
  if (source.read < prompt.length) return 'wait';
  decoder.copy(source.slot, s.slot, prompt.length - 1);
  s.held = prompt.length - 1;
  return 'taken';
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((id, i) => id === b[i]));

function tokenOf(
  row: Float32Array,
  picked: number,
  level: number,
  u: number,
  request: SampleRequest,
  never: readonly number[],
): Token {
  const logprobOf = (id: number) => row[id]! / (request.temperature || 1) - level;
  const alternatives = likeliest(row, request.alternatives ?? 0).map((id) => ({ id, logprob: logprobOf(id) }));
  const narrowed = request.temperature > 0 && (request.topP < 1 || (request.topK > 0 && request.topK < row.length));
  if (!narrowed) return { id: picked, logprob: logprobOf(picked), alternatives };
  const kept = never.map((id) => row[id]!);
  for (const id of never) row[id] = -Infinity;
  const id = choose(row, request, u);
  never.forEach((n, i) => (row[n] = kept[i]!));
  return { id, logprob: logprobOf(id), alternatives };
}
