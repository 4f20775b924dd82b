import { GarnerError, nearest } from '../../core/errors.ts';

/** Number types of the matrix products. */
export type Precision = 'bf16' | 'fp8' | 'fp32';

/** A processor as its maker describes it; one chip each, dense peaks. */
export interface Gpu {
  name: string;
  label: string;
  /** FLOP/s of the matrix products; bf16 is fp16 where there is no bf16. */
  peak: Partial<Record<Precision, number>>;
  /** Bytes. */
  memory: number;
  /** Bytes a second. */
  bandwidth: number;
  /** Bytes a second that one chip sends to those of its own host. */
  link: number;
  /** Bytes a second that one chip sends to other hosts. */
  network: number;
  /** Chips that share the fast links. */
  node: number;
  /** Watts. */
  power: number;
  /** Dollars an hour. */
  price: number;
  priceSource: string;
  /** Chips that reach alike shares of their peak. */
  kind: 'v100' | 'a100' | 'h100' | 'b200' | 'consumer' | 'tpu' | 'cpu';
}

type Row = readonly [
  name: string,
  label: string,
  kind: Gpu['kind'],
  bf16: number | null,
  fp8: number | null,
  fp32: number,
  memoryGB: number,
  bandwidthGB: number,
  linkGB: number,
  networkGB: number,
  node: number,
  watts: number,
  price: number,
  priceSource: string,
];

const lambda = '8 A100 80 GB for $14 an hour (Lambda 2024, llm.c discussion 481)';
const h100 = '8 H100 for $24 an hour (nanochat, discussion 1)';
const typical = 'a usual on-demand price of 2025, not from a run';

/**
 * One line a chip: TFLOP/s of bf16, fp8 and fp32, GB, GB/s of memory, of the links inside a host and of the network (both one way),
 * chips a host, watts, dollars an hour. Makers' data sheets, dense; TPU power: the greatest that Google measured.
 */
// oxfmt-ignore
const ROWS: readonly Row[] = [
  ['v100', 'V100 SXM 32 GB', 'v100', 125, null, 15.7, 32, 900, 150, 12.5, 8, 300, 1.5, 'the usual reckoning of GPT-3’s $4.6 million'],
  ['v100-16gb', 'V100 SXM 16 GB', 'v100', 125, null, 15.7, 16, 900, 150, 12.5, 8, 300, 1.5, 'the usual reckoning of GPT-3’s $4.6 million'],
  ['a100', 'A100 SXM 80 GB', 'a100', 312, null, 19.5, 80, 2039, 300, 25, 8, 400, 1.75, lambda],
  ['a100-40gb', 'A100 SXM 40 GB', 'a100', 312, null, 19.5, 40, 1555, 300, 25, 8, 400, 1.29, 'A100 40 GB for $1.29 an hour (llm.c discussion 481)'],
  ['a100-pcie', 'A100 PCIe 80 GB', 'a100', 312, null, 19.5, 80, 1935, 32, 25, 8, 300, 1.75, lambda],
  ['a100-pcie-40gb', 'A100 PCIe 40 GB', 'a100', 312, null, 19.5, 40, 1555, 32, 25, 8, 250, 1.29, 'A100 40 GB for $1.29 an hour (llm.c discussion 481)'],
  ['h100', 'H100 SXM 80 GB', 'h100', 989.4, 1979, 67, 80, 3350, 450, 50, 8, 700, 3, h100],
  ['h100-pcie', 'H100 PCIe 80 GB', 'h100', 756, 1513, 51, 80, 2000, 64, 50, 8, 350, 2.5, typical],
  ['h100-96gb', 'H100 96 GB HBM2e', 'h100', 989.4, 1979, 67, 96, 2400, 450, 50, 8, 500, 3, h100],
  ['h800', 'H800 SXM 80 GB', 'h100', 989.4, 1979, 67, 80, 3350, 200, 50, 8, 700, 2, 'H800 for $2 an hour (DeepSeek-V3, arXiv:2412.19437)'],
  ['h200', 'H200 SXM 141 GB', 'h100', 989.4, 1979, 67, 141, 4800, 450, 50, 8, 700, 3.5, typical],
  ['b200', 'B200 180 GB', 'b200', 2250, 4500, 80, 180, 8000, 900, 50, 8, 1000, 5, typical],
  ['gb200', 'GB200 (a GPU of it)', 'b200', 2500, 5000, 80, 186, 8000, 900, 50, 72, 1200, 6, typical],
  ['l40s', 'L40S 48 GB', 'consumer', 362, 733, 92, 48, 864, 32, 12.5, 8, 350, 1, typical],
  ['rtx3090', 'RTX 3090', 'consumer', 71, null, 36, 24, 936, 32, 3, 8, 350, 0.25, typical],
  ['rtx4090', 'RTX 4090', 'consumer', 165, 330, 83, 24, 1008, 32, 3, 8, 450, 0.4, typical],
  ['rtx5090', 'RTX 5090', 'consumer', 209.5, 419, 105, 32, 1792, 64, 3, 8, 575, 0.7, typical],
  ['tpu-v3', 'TPU v3 (a chip)', 'tpu', 123, null, 4, 32, 900, 70, 70, 1024, 262, 8, 'TPU v3 for $8 an hour (nanochat on GPT-2, of 2019)'],
  ['tpu-v4', 'TPU v4 (a chip)', 'tpu', 275, null, 4.3, 34.4, 1200, 135, 135, 4096, 192, 3.22, 'Google’s on-demand list price of 2023'],
  ['cpu', 'a core with AVX-512', 'cpu', null, null, 0.25, 4, 10, 5, 1.25, 64, 10, 0.04, 'a usual price of a rented core'],
];

export const GPUS: readonly Gpu[] = ROWS.map(
  ([name, label, kind, bf16, fp8, fp32, memory, bandwidth, link, network, node, power, price, priceSource]) => ({
    name,
    label,
    kind,
    node,
    power,
    price,
    priceSource,
    peak: {
      ...(bf16 === null ? {} : { bf16: bf16 * 1e12 }),
      ...(fp8 === null ? {} : { fp8: fp8 * 1e12 }),
      fp32: fp32 * 1e12,
    },
    memory: memory * 1e9,
    bandwidth: bandwidth * 1e9,
    link: link * 1e9,
    network: network * 1e9,
  }),
);

const ALIASES: Record<string, string> = {
  a10080gb: 'a100',
  a100sxm: 'a100',
  a100sxm80gb: 'a100',
  h100sxm: 'h100',
  h10080gb: 'h100',
  v10032gb: 'v100',
  h200sxm: 'h200',
  '3090': 'rtx3090',
  '4090': 'rtx4090',
  '5090': 'rtx5090',
  tpu: 'tpu-v4',
};

const folded = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, '');

/** A processor by its name. Throws a GarnerError that names the nearest one. */
export function findGpu(name: string): Gpu {
  const wanted = folded(name);
  const alias = Object.hasOwn(ALIASES, wanted) ? ALIASES[wanted] : undefined;
  const found = GPUS.find((g) => folded(g.name) === wanted || g.name === alias);
  if (found) return found;
  const near = nearest(
    name.toLowerCase(),
    GPUS.map((g) => g.name),
  );
  throw new GarnerError({
    what: `no GPU is called "${name.slice(0, 100)}"`,
    where: '--gpu',
    hint: near ? `did you mean "${near}"?` : `known are ${GPUS.map((g) => g.name).join(', ')}`,
    fault: 2,
  });
}

/** FLOP/s of a chip's matrix products. Throws a GarnerError where it has none of that type. */
export function peakOf(gpu: Gpu, precision: Precision): number {
  const peak = gpu.peak[precision];
  if (peak !== undefined) return peak;
  throw new GarnerError({
    what: `${gpu.label} has no ${precision} products`,
    where: '--precision',
    hint: `it has ${Object.keys(gpu.peak).join(', ')}`,
    fault: 2,
  });
}
