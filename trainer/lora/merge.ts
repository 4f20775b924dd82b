import { adapterOf, scaleOf, type Lora } from './lora.ts';

/** Whole tensors of a model by name, adapters merged into their weights; all of a model without adapters. */
export function mergeAll(tensors: Map<string, Float32Array>, lora: Lora | undefined): Map<string, Float32Array> {
  const merged = new Map(tensors);
  for (const [name, weight] of lora ? tensors : []) {
    const adapter = adapterOf(name, lora);
    if (adapter) merged.set(name, mergeAdapter(weight, tensors.get(adapter.a)!, tensors.get(adapter.b)!, lora!));
  }
  return merged;
}

/** W + (alpha / rank) · B A, each number summed in float64. W [out, in], A [rank, in], B [out, rank], row-major. */
export function mergeAdapter(weight: Float32Array, a: Float32Array, b: Float32Array, lora: Lora): Float32Array {
  const { rank } = lora;
  const factor = scaleOf(lora);
  const width = a.length / rank;
  const out = b.length / rank;
  const merged = new Float32Array(weight.length);
  const sums = new Float64Array(width);
  for (let o = 0; o < out; o++) {
    sums.fill(0);
    for (let k = 0; k < rank; k++) {
      const by = b[o * rank + k]!;
      for (let i = 0; i < width; i++) sums[i]! += by * a[k * width + i]!;
    }
    for (let i = 0; i < width; i++) merged[o * width + i] = weight[o * width + i]! + factor * sums[i]!;
  }
  return merged;
}
