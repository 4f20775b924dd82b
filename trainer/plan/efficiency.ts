import type { Gpu, Precision } from './gpus.ts';

/** A share of the peak, and the run that reached it. */
export interface Efficiency {
  mfu: number;
  source: string;
}

/** A kind of chips, or the name of one. */
type Row = readonly [chip: string, precision: Precision, below: number, gpus: number, mfu: number, source: string];

const flash = 'flash-attention:training/README.md, 8 A100';
const maxtext = 'MaxText 22B, 158 of 275 TFLOP/s (AI-Hypercomputer/maxtext:configs/2xv4-128.sh)';

/**
 * What published runs reached, by chip, number type, size of the model [parameters below] and GPUs [at most]. None of them is
 * a row that the
 * planner is tested by (published.ts), so that the errors there are those of a guess made beforehand.
 */
// oxfmt-ignore
const ROWS: readonly Row[] = [
  ['v100', 'bf16', 20e9, Infinity, 0.3, 'Megatron-LM 2019, 1.2B: 39 TFLOP/s (arXiv:1909.08053)'],
  ['v100', 'bf16', Infinity, Infinity, 0.213, 'GPT-3 in PaLM’s table 3 (arXiv:2204.02311)'],
  ['a100', 'bf16', 1e9, Infinity, 0.53, `GPT-3 125M to 760M, 50.8 to 54.9 % (${flash})`],
  ['a100', 'bf16', 10e9, 64, 0.61, `GPT-3 1.3B and 2.7B (${flash})`],
  ['a100', 'bf16', 10e9, Infinity, 0.463, 'Llama 1 7B: 82,432 GPU-hours for 1T tokens (arXiv:2302.13971)'],
  ['a100', 'bf16', 20e9, Infinity, 0.541, 'Llama 1 13B: 135,168 GPU-hours for 1T tokens (arXiv:2302.13971)'],
  ['a100', 'bf16', Infinity, Infinity, 0.495, 'Llama 1 65B: 380 tokens/s on each of 2,048 A100 (arXiv:2302.13971)'],
  ['h100', 'bf16', 1e9, Infinity, 0.395, 'llm.c 124M in 45 min on 8 H100 (modded-nanogpt, record 1)'],
  ['h100', 'bf16', 3e9, Infinity, 0.5, 'nanochat d24 on 8 H100 (its leaderboard, run 1)'],
  ['h100', 'bf16', 20e9, Infinity, 0.39, 'torchtitan, Llama 3 8B on 8 H100 of 500 W, compiled'],
  ['h100', 'bf16', Infinity, Infinity, 0.43, 'Llama 3 405B on 8,192 H100 (arXiv:2407.21783, table 4)'],
  ['h100', 'fp8', 3e9, Infinity, 0.3, 'nanochat d24 and d26 in fp8 on 8 H100: 575 to 597 TFLOP/s'],
  ['h100', 'fp8', 20e9, Infinity, 0.25, 'torchtitan, Llama 3 8B in float8 on 8 H100: 494 TFLOP/s'],
  ['h100', 'fp8', Infinity, Infinity, 0.42, 'MLPerf Training 5.0, Llama 3.1 405B on 512 H100: 839 TFLOP/s'],
  ['b200', 'bf16', Infinity, Infinity, 0.43, 'no run known: as Llama 3 405B on H100'],
  ['b200', 'fp8', Infinity, Infinity, 0.38, 'MLPerf Training 5.0, Llama 3.1 405B on 256 GB200: 1,886 TFLOP/s'],
  ['consumer', 'bf16', Infinity, Infinity, 0.6, 'a guess below the 80 % of nanochat d20 on one RTX 4090 (karpathy/nanochat#157)'],
  ['consumer', 'fp8', Infinity, Infinity, 0.3, 'a guess: half of bf16’s share'],
  ['tpu-v3', 'bf16', Infinity, Infinity, 0.325, 'Gopher in PaLM’s table 3 (arXiv:2204.02311)'],
  ['tpu-v4', 'bf16', Infinity, Infinity, 0.57, maxtext],
  ['cpu', 'fp32', Infinity, Infinity, 0.7, 'garner’s own bench: 189 of 250 GFLOP/s on a core of an EPYC'],
];

/** The share of the peak to expect where nobody names one; fp32 products on a GPU have no row and take 0.4. */
export function defaultEfficiency(gpu: Gpu, precision: Precision, parameters: number, gpus: number): Efficiency {
  const row = ROWS.find(
    ([chip, type, below, most]) =>
      (chip === gpu.kind || chip === gpu.name) && type === precision && parameters < below && gpus <= most,
  );
  return row ? { mfu: row[4], source: row[5] } : { mfu: 0.4, source: 'a guess: no run known' };
}
