import { readFileSync } from 'node:fs';
import { asset } from '../../core/root.ts';

/** One regression tree as parallel arrays; a node with feature −1 is a leaf and its threshold is the value. */
export interface TreeModel {
  feature: number[];
  threshold: number[];
  /** Child where value ≤ threshold; the other one is `left + 1`. */
  left: number[];
}

export interface BlockModel {
  /** Names of the numbers it was trained on; they must equal FEATURES. */
  features: readonly string[];
  /** Log-odds before any tree. */
  bias: number;
  trees: TreeModel[];
}

/** Log-odds that a block is main text, for each row of `rows` [n × width]. */
export function scoreBlocks(model: BlockModel, rows: Float32Array, width: number): Float64Array {
  const n = rows.length / width;
  const out = new Float64Array(n).fill(model.bias);
  for (const { feature, threshold, left } of model.trees) {
    for (let i = 0; i < n; i++) {
      let at = 0;
      for (let f = feature[0]!; f >= 0; f = feature[at]!)
        at = left[at]! + (rows[i * width + f]! <= threshold[at]! ? 0 : 1);
      out[i]! += threshold[at]!;
    }
  }
  return out;
}

/** Where the model lies, from the package's root. */
export const MODEL_FILE = 'crawlers/extract/main-text.model.json';

let loaded: BlockModel | undefined;

/** The model that ships with garner, made by bench/extraction/train.ts; its columns are matched to `names` by name. */
export function blockModel(names: readonly string[]): BlockModel {
  loaded ??= fit(JSON.parse(readFileSync(asset(MODEL_FILE), 'utf8')) as BlockModel, names);
  return loaded;
}

function fit(model: BlockModel, names: readonly string[]): BlockModel {
  const at = model.features.map((name) => names.indexOf(name));
  const lost = model.features.filter((_, i) => at[i] === -1);
  if (lost.length > 0) throw new Error(`the model needs numbers that are not measured: ${lost.join(', ')}`);
  for (const tree of model.trees) tree.feature = tree.feature.map((f) => (f < 0 ? f : at[f]!));
  return { ...model, features: names };
}
