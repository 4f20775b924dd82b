import type { Gpu } from '../gpus.ts';

/**
 * Everything that the simulation knows of hardware beside the data sheets in gpus.ts. One set for all models, sizes and
 * machines; nothing here belongs to a single published run. What it gives on the published ones: docs/log/simulator.md.
 */

/** What kernels of a kind of GPU reach. */
export interface KernelLimits {
  /** Multiprocessors, each working on one tile of a product at a time: data sheets. */
  units: number;
  /** Share of the peak that the inner loop of a large bf16 product keeps up in long training, at the GPU's power limit. */
  products: number;
  /** Share of the peak of FlashAttention's forward. */
  attention: number;
}

/**
 * Large products by cuBLASLt: V100 105, A100 280, H100 700 (at 700 W with random data; 800 for zeros), B200 1,650 TFLOP/s.
 * FlashAttention-2: 225 on A100, 350 on H100 (Dao 2023, arXiv:2307.08691; Shah et al. 2024, arXiv:2407.08608); V100 runs
 * none, B200 and the rest are taken as the nearest.
 */
const LIMITS: Record<Gpu['kind'], KernelLimits> = {
  v100: { units: 80, products: 0.84, attention: 0.35 },
  a100: { units: 108, products: 280 / 312, attention: 225 / 312 },
  h100: { units: 132, products: 700 / 989.4, attention: 350 / 989.4 },
  b200: { units: 148, products: 1650 / 2250, attention: 0.35 },
  consumer: { units: 128, products: 0.85, attention: 0.6 },
  tpu: { units: 2, products: 0.9, attention: 0.5 },
  cpu: { units: 1, products: 0.8, attention: 0.5 },
};

export const limitsOf = (gpu: Gpu): KernelLimits => LIMITS[gpu.kind];

/** The backward of attention has 2.5 times the FLOPs of its forward, at about this share of the forward's rate (Dao 2023, figures 4 and 5). */
export const ATTENTION_BACKWARD = { flops: 2.5, rate: 0.8 };

/** Rows and columns of a product's tiles, and the share of the inner loop's rate that a tile of this size allows (cuBLAS, CUTLASS). */
export const TILES: readonly (readonly [rows: number, columns: number, rate: number])[] = [
  [256, 128, 1],
  [128, 256, 1],
  [128, 128, 0.9],
  [64, 128, 0.7],
];

/** Share of the memory's bandwidth that copies reach: 90 to 93 % on A100 and H100. */
export const COPY = 0.92;

/** A kernel cannot be shorter: launches follow each other no faster [s]. */
export const LAUNCH = 3e-6;

/** Share of the links' bandwidth that collectives reach: 230 of 300 GB/s on A100, 360 of 450 on H100, 45 to 48 of 50 over InfiniBand. */
export const LINK = 0.8;
export const NETWORK = 0.93;

/** NCCL's own model of its protocols (src/graph/tuning.cc), rings on NVLink and over the network [s]; `rate` is the share of the bandwidth. */
export const PROTOCOLS = [
  { name: 'LL', base: 6.6e-6, link: 0.6e-6, network: 2.7e-6, rate: 0.5 },
  { name: 'LL128', base: 14e-6, link: 1.9e-6, network: 4e-6, rate: 0.93 },
  { name: 'Simple', base: 8.4e-6, link: 3.4e-6, network: 14e-6, rate: 1 },
] as const;

/** What each level of switches above the first adds to a hop [s]; a level joins this many hosts (leaf, pod of 3,072 GPUs as Llama 3's, all). */
export const SWITCH = { latency: 1.2e-6, levels: [32, 384] };

/** Multiprocessors that a collective takes from the kernels beside it: NCCL's usual number of channels. */
export const CHANNELS = 16;

/**
 * Spread of the speed of GPUs of one kind, as the deviation of its logarithm. Sinha et al. 2022, arXiv:2208.11035, measured
 * 8 % (at most 22 %) between the GPUs of five machines: ± two deviations of 2 %.
 */
export const SPREAD = 0.02;

/**
 * Unexpected interruptions a GPU and hour: 419 in 54 days on 16,384 (Llama 3, arXiv:2407.21783, table 5). Kokolis et al. 2024,
 * arXiv:2410.21680, had 2.34 and 6.5 in 1,000 days of a host on two clusters of A100, 1.2e-5 and 3.4e-5; OPT-175B 8e-5.
 */
export const FAILURES = 419 / (54 * 24 * 16_384);

/** Until work goes on after a failure: found and diagnosed in less than 10 minutes (MegaScale, arXiv:2402.15627, section 6) [s]. */
export const RESTART = 600;

/**
 * A checkpoint holds weights, master weights and two moments (bf16 and 3 × fp32) [bytes a parameter]; every host writes at once,
 * up to what the storage takes (Llama 3: 2 TB/s for 2,048 hosts [bytes/s]); and all wait for each other [s].
 */
export const CHECKPOINT = { bytes: 14, host: 1e9, storage: 2e12, barrier: 5 };

/** AdamW over its share: gradient read twice (norm, update), master weight and two moments read and written, weight written [bytes a parameter]. */
export const OPTIMIZER_BYTES = 34;

/** Gradients are shared out in buckets of max(40M, 1M a rank) elements (Megatron-Core's default). */
export const BUCKET = { elements: 40e6, perRank: 1e6 };

/**
 * What is left of these best cases in training that goes on for hours: clocks at the power limit, gaps between kernels, the host,
 * memory shared with collectives. The only number here that is fitted: to the median of the 14 rows of A100 in Narayanan et al. 2021
 * and Korthikanti et al. 2022; no row of another GPU took part.
 */
export const SUSTAINED = 0.83;
