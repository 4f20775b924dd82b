import type { BlockModel, TreeModel } from '../../crawlers/extract/model.ts';

/** Rows to learn from: labels in 0…1 and a weight each. */
export interface Rows {
  width: number;
  x: Float32Array;
  y: Float32Array;
  weight: Float32Array;
  /** The page of each row: a tree sees whole pages or nothing of them, since blocks of one page are alike. */
  page: Int32Array;
}

export interface BoostOptions {
  trees: number;
  depth: number;
  rate: number;
  /** Least weight of a leaf, as a share of all. */
  leaf: number;
  /** L2 on leaf values, as a share of all weight. */
  lambda: number;
  /** Share of pages and of columns that each tree sees. */
  rows: number;
  columns: number;
  seed: number;
}

const BINS = 64;

/** A small generator of its own, so that the model is the same everywhere (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Gradient-boosted trees for log loss with soft labels, over histograms of 64 bins. */
export function boost(data: Rows, names: readonly string[], o: BoostOptions): BlockModel {
  const { width, x, y, weight } = data;
  const n = y.length;
  const { codes, edges } = bin(x, n, width);
  const draw = random(o.seed);
  let total = 0;
  let positive = 0;
  for (let i = 0; i < n; i++) {
    total += weight[i]!;
    positive += weight[i]! * y[i]!;
  }
  const bias = Math.log(positive / (total - positive));
  const score = new Float64Array(n).fill(bias);
  const g = new Float64Array(n);
  const h = new Float64Array(n);
  const trees: TreeModel[] = [];
  for (let t = 0; t < o.trees; t++) {
    for (let i = 0; i < n; i++) {
      const p = 1 / (1 + Math.exp(-score[i]!));
      g[i] = weight[i]! * (y[i]! - p);
      h[i] = weight[i]! * p * (1 - p);
    }
    const rows = new Int32Array(n);
    let m = 0;
    let [page, seen] = [-1, false];
    for (let i = 0; i < n; i++) {
      if (data.page[i] !== page) [page, seen] = [data.page[i]!, draw() < o.rows];
      if (seen) rows[m++] = i;
    }
    const columns = Array.from({ length: width }, (_, f) => f).filter(() => draw() < o.columns);
    const tree = grow(codes, edges, width, rows.subarray(0, m), columns, g, h, o, total * o.rows);
    trees.push(tree);
    for (let i = 0; i < n; i++) {
      let at = 0;
      for (let f = tree.feature[0]!; f >= 0; f = tree.feature[at]!)
        at = tree.left[at]! + (x[i * width + f]! <= tree.threshold[at]! ? 0 : 1);
      score[i]! += tree.threshold[at]!;
    }
  }
  return { features: names, bias: round(bias), trees };
}

const round = (v: number): number => Number(v.toPrecision(5));

function bin(x: Float32Array, n: number, width: number) {
  const codes = new Uint8Array(n * width);
  const edges: number[][] = [];
  const step = Math.max(1, Math.floor(n / 20_000));
  for (let f = 0; f < width; f++) {
    const values: number[] = [];
    for (let i = 0; i < n; i += step) values.push(x[i * width + f]!);
    values.sort((a, b) => a - b);
    const cuts: number[] = [];
    for (let k = 1; k < BINS; k++) {
      const v = round(values[Math.floor((k * values.length) / BINS)]!);
      if (cuts.length === 0 || v > cuts.at(-1)!) cuts.push(v);
    }
    const low = values[0]!;
    if (cuts.length === 1 && values.at(-1)! > low) cuts[0] = Math.min(cuts[0]!, low);
    if (values.at(-1)! > low && !cuts.some((c) => c >= low && c < values.at(-1)!)) cuts.splice(0, cuts.length, low);
    edges.push(cuts);
    for (let i = 0; i < n; i++) {
      const v = x[i * width + f]!;
      let [a, b] = [0, cuts.length];
      while (a < b) {
        const mid = (a + b) >> 1;
        if (v <= cuts[mid]!) b = mid;
        else a = mid + 1;
      }
      codes[i * width + f] = a;
    }
  }
  return { codes, edges };
}

function grow(
  codes: Uint8Array,
  edges: number[][],
  width: number,
  rows: Int32Array,
  columns: number[],
  g: Float64Array,
  h: Float64Array,
  o: BoostOptions,
  total: number,
): TreeModel {
  const tree: TreeModel = { feature: [-1], threshold: [0], left: [0] };
  const lambda = o.lambda * total;
  const gain = (a: number, b: number) => (a * a) / (b + lambda);
  const todo = [{ node: 0, rows, depth: 0 }];
  for (let next = todo.shift(); next; next = todo.shift()) {
    const { node, rows: mine, depth } = next;
    let [sumG, sumH] = [0, 0];
    for (const i of mine) {
      sumG += g[i]!;
      sumH += h[i]!;
    }
    tree.threshold[node] = round((o.rate * sumG) / (sumH + lambda));
    if (depth >= o.depth || mine.length < 40) continue;
    const histG = new Float64Array(columns.length * BINS);
    const histH = new Float64Array(columns.length * BINS);
    for (const i of mine) {
      const base = i * width;
      for (let c = 0; c < columns.length; c++) {
        const k = c * BINS + codes[base + columns[c]!]!;
        histG[k]! += g[i]!;
        histH[k]! += h[i]!;
      }
    }
    let best = { gain: 1e-9 * total, column: -1, at: 0 };
    for (let c = 0; c < columns.length; c++) {
      let [leftG, leftH] = [0, 0];
      const cuts = edges[columns[c]!]!;
      for (let k = 0; k < cuts.length; k++) {
        leftG += histG[c * BINS + k]!;
        leftH += histH[c * BINS + k]!;
        if (leftH < o.leaf * total || sumH - leftH < o.leaf * total) continue;
        const value = gain(leftG, leftH) + gain(sumG - leftG, sumH - leftH) - gain(sumG, sumH);
        if (value > best.gain) best = { gain: value, column: c, at: k };
      }
    }
    if (best.column < 0) continue;
    const f = columns[best.column]!;
    const left = tree.feature.length;
    tree.feature[node] = f;
    tree.threshold[node] = edges[f]![best.at]!;
    tree.left[node] = left;
    for (let k = 0; k < 2; k++) {
      tree.feature.push(-1);
      tree.threshold.push(0);
      tree.left.push(0);
    }
    const goes = (i: number) => codes[i * width + f]! <= best.at;
    todo.push({ node: left, rows: mine.filter(goes), depth: depth + 1 });
    todo.push({ node: left + 1, rows: mine.filter((i) => !goes(i)), depth: depth + 1 });
  }
  return tree;
}
