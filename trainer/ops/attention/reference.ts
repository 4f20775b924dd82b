import type { Numbers } from '../define.ts';

type Sizes = Record<'batch' | 'length' | 'heads' | 'groups' | 'size', number>;

/** P = softmax(Q·Kᵀ/√Q) over start(i) ≤ j ≤ i, O = P·V, lse = ln Σ exp; head h reads group ⌊h / (H/G)⌋. */
export function forward(
  { o, lse, q, k, v, starts }: Record<'o' | 'lse' | 'q' | 'k' | 'v' | 'starts', Numbers>,
  sizes: Sizes,
): void {
  eachRow(sizes, starts, ({ query, key, from, to, at }) => {
    const scores = scoresOf(q, k, query, key, from, to, sizes.size);
    const most = Math.max(...scores);
    const total = scores.reduce((sum, s) => sum + Math.exp(s - most), 0);
    lse[at] = most + Math.log(total);
    for (let d = 0; d < sizes.size; d++) {
      let sum = 0;
      for (let j = from; j <= to; j++) sum += (Math.exp(scores[j - from]! - most) / total) * v[key(j) + d]!;
      o[query + d] = sum;
    }
  });
}

/** dV = Pᵀ dO; dP = dO Vᵀ; Δ = rowsum(dO ⊙ O); dS = P ⊙ (dP − Δ); dQ = dS K/√Q; dK = dSᵀ Q/√Q, summed over a group. */
export function backward(
  {
    dq,
    dk,
    dv,
    dout,
    o,
    lse,
    q,
    k,
    v,
    starts,
  }: Record<'dq' | 'dk' | 'dv' | 'dout' | 'o' | 'lse' | 'q' | 'k' | 'v' | 'starts', Numbers>,
  sizes: Sizes,
): void {
  const { size } = sizes;
  const scale = 1 / Math.sqrt(size);
  eachRow(sizes, starts, ({ query, key, from, to, at }) => {
    const scores = scoresOf(q, k, query, key, from, to, size);
    let delta = 0;
    for (let d = 0; d < size; d++) delta += dout[query + d]! * o[query + d]!;
    for (let j = from; j <= to; j++) {
      const p = Math.exp(scores[j - from]! - lse[at]!);
      let dp = 0;
      for (let d = 0; d < size; d++) dp += dout[query + d]! * v[key(j) + d]!;
      const ds = p * (dp - delta) * scale;
      for (let d = 0; d < size; d++) {
        dv[key(j) + d]! += p * dout[query + d]!;
        dq[query + d]! += ds * k[key(j) + d]!;
        dk[key(j) + d]! += ds * q[query + d]!;
      }
    }
  });
}

/** Keys and values of `rows` tokens go into their slots at their positions; each token attends to its slot up to itself. */
export function cached(
  {
    o,
    keys,
    values,
    q,
    k,
    v,
    slots,
    positions,
  }: Record<'o' | 'keys' | 'values' | 'q' | 'k' | 'v' | 'slots' | 'positions', Numbers>,
  { rows, heads, groups, size, room }: Record<'rows' | 'heads' | 'groups' | 'size' | 'room', number>,
): void {
  const start = (i: number, group: number) => (slots[i]! * groups + group) * room * size;
  // a key's numbers lie 64 apart: those of one place of 64 keys are neighbours
  const keyAt = (j: number, d: number) => (Math.floor(j / 64) * size + d) * 64 + (j % 64);
  for (let i = 0; i < rows; i++)
    for (let g = 0; g < groups; g++)
      for (let d = 0; d < size; d++) {
        const from = (i * groups + g) * size + d;
        keys[start(i, g) + keyAt(positions[i]!, d)] = k[from]!;
        values[start(i, g) + positions[i]! * size + d] = v[from]!;
      }
  for (let i = 0; i < rows; i++)
    for (let h = 0; h < heads; h++) {
      const query = (i * heads + h) * size;
      const cache = start(i, Math.floor(h / (heads / groups)));
      const scores = Array.from({ length: positions[i]! + 1 }, (_, j) => {
        let dot = 0;
        for (let d = 0; d < size; d++) dot += q[query + d]! * keys[cache + keyAt(j, d)]!;
        return dot / Math.sqrt(size);
      });
      const most = Math.max(...scores);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - most), 0);
      for (let d = 0; d < size; d++)
        o[query + d] = scores.reduce(
          (sum, s, j) => sum + (Math.exp(s - most) / total) * values[cache + j * size + d]!,
          0,
        );
    }
}

interface Row {
  /** Offset of the query's head. */
  query: number;
  /** Offset of a key's head. */
  key: (j: number) => number;
  from: number;
  to: number;
  /** Place in lse. */
  at: number;
}

function eachRow({ batch, length, heads, groups, size }: Sizes, starts: Numbers, visit: (row: Row) => void): void {
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < length; i++)
        visit({
          query: ((b * length + i) * heads + h) * size,
          key: (j) => ((b * length + j) * groups + Math.floor(h / (heads / groups))) * size,
          from: starts[b * length + i]!,
          to: i,
          at: (b * heads + h) * length + i,
        });
}

function scoresOf(
  q: Numbers,
  k: Numbers,
  query: number,
  key: (j: number) => number,
  from: number,
  to: number,
  size: number,
): number[] {
  const scores: number[] = [];
  for (let j = from; j <= to; j++) {
    let dot = 0;
    for (let d = 0; d < size; d++) dot += q[query + d]! * k[key(j) + d]!;
    scores.push(dot / Math.sqrt(size));
  }
  return scores;
}
