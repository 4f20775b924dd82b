import { sizeOf, type Call, type ElementType, type Tensor } from '../ops/define.ts';

const ALIGNMENT = 64;

/** A list of kernel calls, and the tensors that are looked at after it ran. */
export interface Program {
  calls: readonly Call[];
  keep: readonly Tensor[];
}

/** Where everything lies: bytes from the start of its zone. */
export interface Plan {
  place: Map<Tensor, number>;
  /** Bytes of the activations' zone. */
  activations: number;
  /** Bytes that the activations would take without sharing by lifetime. */
  unshared: number;
  floatBytes: number;
}

/** The tensor whose place this one has. */
export const storageOf = (tensor: Tensor): Tensor => (tensor.over ? storageOf(tensor.over) : tensor);

/** How far into that place it begins [elements]. */
export const offsetOf = (tensor: Tensor): number => (tensor.over ? (tensor.at ?? 0) + offsetOf(tensor.over) : 0);

/** Size of a tensor [bytes]. */
export const bytesOf = (tensor: Tensor, floatBytes: number): number =>
  sizeOf(tensor.shape) * width(tensor.type, floatBytes);

const width = (type: ElementType, floatBytes: number): number => (type === 'f32' ? floatBytes : type === 'i32' ? 4 : 8);

/** Places tensors one after the other, in order; returns the end. Zones that are used as one array leave no gaps. */
export function layOut(
  tensors: readonly Tensor[],
  floatBytes: number,
  place: Map<Tensor, number>,
  gaps: boolean,
): number {
  let end = 0;
  for (const tensor of tensors) {
    if (gaps) end = roundUp(end);
    place.set(tensor, end);
    end += bytesOf(tensor, floatBytes);
  }
  return end;
}

interface Life {
  tensor: Tensor;
  bytes: number;
  /** The first and the last call that touches it. */
  from: number;
  to: number;
}

/**
 * Gives every activation an offset such that two that live at one time never overlap: the largest first, each at the
 * lowest place that is free during its life (Pisarchyk & Lee 2020, arXiv:2001.03288, greedy by size).
 * floatBytes is 4, or 8 for a float64 arena (tests of gradients).
 */
export function plan(program: Program, floatBytes = 4): Plan {
  const { calls, keep } = program;
  return placed(livesOf(calls, keep, calls.length, floatBytes), floatBytes);
}

/**
 * The same for a program of which others run between call `border` − 1 and `border` (the forward and the backward half of
 * a micro-batch in a pipeline): `held` has what lives across the border, one copy for each program in flight; `passing` the
 * rest, which all of them share. What the program keeps is there until the border.
 */
export function planHalves(program: Program, border: number, floatBytes = 4): Record<'held' | 'passing', Plan> {
  const lives = livesOf(program.calls, program.keep, border - 1, floatBytes);
  const crosses = (life: Life) => life.from < border && life.to >= border;
  return {
    held: placed(lives.filter(crosses), floatBytes),
    passing: placed(
      lives.filter((life) => !crosses(life)),
      floatBytes,
    ),
  };
}

function placed(unsorted: readonly Life[], floatBytes: number): Plan {
  const lives = unsorted.toSorted((a, b) => b.bytes - a.bytes);
  const place = new Map<Tensor, number>();
  const there: (Life & { at: number })[] = [];
  for (const life of lives) {
    let at = 0;
    for (const other of there) {
      if (other.from > life.to || other.to < life.from) continue;
      if (other.at >= at + life.bytes) break;
      at = Math.max(at, other.at + other.bytes);
    }
    const index = there.findIndex((p) => p.at > at);
    there.splice(index < 0 ? there.length : index, 0, { ...life, at });
    place.set(life.tensor, at);
  }
  const activations = there.reduce((end, p) => Math.max(end, p.at + p.bytes), 0);
  return { place, activations, unshared: lives.reduce((sum, l) => sum + l.bytes, 0), floatBytes };
}

function livesOf(calls: readonly Call[], keep: readonly Tensor[], kept: number, floatBytes: number): Life[] {
  const lives = new Map<Tensor, Life>();
  const touch = (tensor: Tensor, at: number) => {
    const base = storageOf(tensor);
    if (base.zone !== 'activations') return;
    const life = lives.get(base);
    if (life) life.to = Math.max(life.to, at);
    else lives.set(base, { tensor: base, bytes: roundUp(bytesOf(base, floatBytes)), from: at, to: at });
  };
  calls.forEach((call, at) => call.tensors.forEach((tensor) => touch(tensor, at)));
  for (const tensor of keep) touch(tensor, kept);
  return [...lives.values()];
}

const roundUp = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** One line a zone and one for each of the largest activations: what takes the memory, for a person. */
export function explain(program: Program, { floatBytes, activations, unshared }: Plan): string[] {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const lives = livesOf(program.calls, program.keep, program.calls.length, floatBytes);
  const peak = program.calls
    .map((_, at) => lives.filter((l) => l.from <= at && l.to >= at).reduce((sum, l) => sum + l.bytes, 0))
    .reduce((best, bytes, at) => (bytes > best.bytes ? { bytes, at } : best), { bytes: 0, at: 0 });
  const byName = new Map<string, number>();
  for (const l of lives)
    if (l.from <= peak.at && l.to >= peak.at) byName.set(l.tensor.name, (byName.get(l.tensor.name) ?? 0) + l.bytes);
  const largest = [...byName].toSorted((a, b) => b[1] - a[1]).slice(0, 6);
  return [
    `activations ${megabytes(activations)} (${megabytes(unshared)} without sharing, ${megabytes(peak.bytes)} alive at call ${peak.at}, ${program.calls[peak.at]?.kernel.name})`,
    ...largest.map(([name, bytes]) => `  ${name} ${megabytes(bytes)}`),
  ];
}
