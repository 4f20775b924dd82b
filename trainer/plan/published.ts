/** A run whose inputs and outcome were published apart from each other, so that it can test a planner. */
export interface PublishedRun {
  run: string;
  /** Words of the command line that say what was known beforehand, without the MFU. */
  given: string;
  /** The words that name the published MFU or FLOP/s. */
  efficiency: string;
  /** What was published. */
  outcome: number;
  unit: Unit;
  source: string;
}

/** Units of outcomes. */
export type Unit = 's' | 'h' | 'days' | 'GPU-hours' | 'tokens/s' | 'tokens/s a GPU' | '$' | 't CO₂';

const korthikanti = 'arXiv:2205.05198, table 5';
const narayanan = 'arXiv:2104.04473';
const llama2 = '--gpu a100 --gpus 2048 --flops 6nd --carbon 0.385 --pue 1.1';
const megatron = 'NVIDIA Megatron examples/llama, fp8';

const step = (model: string, gpus: number, rows: number) =>
  `--model ${model} --tokens ${rows * 2048} --gpu a100 --gpus ${gpus}`;

/** Time: within 5 %. */
// oxfmt-ignore
export const TIMES: readonly PublishedRun[] = [
  { run: 'Korthikanti 22B, a step', given: step('megatron-22b', 8, 4), efficiency: '--mfu 0.415', outcome: 1.1, unit: 's', source: korthikanti },
  { run: 'Korthikanti 175B, a step', given: step('megatron-175b', 64, 64), efficiency: '--mfu 0.514', outcome: 13.75, unit: 's', source: korthikanti },
  { run: 'Korthikanti 530B, a step', given: step('megatron-530b', 280, 280), efficiency: '--mfu 0.56', outcome: 37.83, unit: 's', source: korthikanti },
  { run: 'Korthikanti 1T, a step', given: step('megatron-1t', 512, 512), efficiency: '--mfu 0.563', outcome: 71.49, unit: 's', source: korthikanti },
  { run: 'Narayanan GPT-3 175B', given: '--model megatron-175b --tokens 300B --gpu a100 --gpus 1024 --recompute full', efficiency: '--tflops 140', outcome: 34, unit: 'days', source: narayanan },
  { run: 'Narayanan 1T', given: '--model megatron-1t --tokens 450B --gpu a100 --gpus 3072 --recompute full', efficiency: '--tflops 163', outcome: 84, unit: 'days', source: narayanan },
  { run: 'Megatron fp8, Llama 3 8B', given: '--model llama3-8b --tokens 1T --gpu h100 --gpus 8 --precision fp8', efficiency: '--tflops 800', outcome: 13_812, unit: 'tokens/s a GPU', source: megatron },
  { run: 'Megatron fp8, Llama 3 70B', given: '--model llama3-70b --tokens 1T --gpu h100 --gpus 64 --precision fp8', efficiency: '--tflops 780', outcome: 1621, unit: 'tokens/s a GPU', source: megatron },
  { run: 'Megatron fp8, Llama 3 405B', given: '--model llama3.1-405b --tokens 1T --gpu h100 --gpus 1024 --precision fp8', efficiency: '--tflops 834', outcome: 315, unit: 'tokens/s a GPU', source: megatron },
  { run: 'PaLM 540B', given: '--model palm-540b --tokens 780B --gpu tpu-v4 --gpus 6144', efficiency: '--mfu 0.462', outcome: 238_000, unit: 'tokens/s', source: 'arXiv:2204.02311' },
  { run: 'TinyLlama, throughput', given: '--model tinyllama-1.1b --tokens 3T --gpu a100-40gb --gpus 16', efficiency: '--mfu 0.56', outcome: 24_000, unit: 'tokens/s a GPU', source: 'jzhang38/TinyLlama' },
  { run: 'TinyLlama, 300B tokens', given: '--model tinyllama-1.1b --tokens 300B --gpu a100-40gb --gpus 16', efficiency: '--mfu 0.56', outcome: 3456, unit: 'GPU-hours', source: 'jzhang38/TinyLlama' },
  { run: 'TinyLlama, 3T tokens', given: '--model tinyllama-1.1b --tokens 3T --gpu a100-40gb --gpus 16', efficiency: '--mfu 0.56', outcome: 90, unit: 'days', source: 'jzhang38/TinyLlama' },
  { run: 'nanochat d32', given: '--model nanochat-d32 --tokens 37580963840 --gpu h100 --gpus 8', efficiency: '--mfu 0.509', outcome: 31.3, unit: 'h', source: 'karpathy/nanochat, discussion 8' },
  { run: 'llm.c 124M, a step', given: '--model llm.c-124m --tokens 524288 --gpu a100-pcie-40gb --gpus 1', efficiency: '--mfu 0.49', outcome: 2.951, unit: 's', source: 'karpathy/llm.c, discussion 481' },
];

/** Money: within 15 %. */
// oxfmt-ignore
export const PRICES: readonly PublishedRun[] = [
  { run: 'llm.c 124M', given: '--model llm.c-124m --tokens 9.9B --gpu a100 --gpus 8 --price 1.75', efficiency: '--mfu 0.598', outcome: 20, unit: '$', source: 'karpathy/llm.c, discussion 481' },
  { run: 'llm.c 350M', given: '--model llm.c-350m --tokens 31.5B --gpu a100 --gpus 8 --price 1.75', efficiency: '--mfu 0.621', outcome: 200, unit: '$', source: 'karpathy/llm.c:scripts' },
  { run: 'llm.c 774M', given: '--model llm.c-774m --tokens 150B --gpu a100 --gpus 8 --price 1.75', efficiency: '--mfu 0.642', outcome: 2000, unit: '$', source: 'karpathy/llm.c:scripts' },
  { run: 'llm.c 1558M', given: '--model llm.c-1558m --tokens 33.6B --gpu h100 --gpus 8 --price 3.5', efficiency: '--mfu 0.486', outcome: 672, unit: '$', source: 'karpathy/llm.c, discussion 677' },
  { run: 'nanochat d32', given: '--model nanochat-d32 --tokens 37580963840 --gpu h100 --gpus 8 --price 3', efficiency: '--mfu 0.509', outcome: 800, unit: '$', source: 'karpathy/nanochat, discussion 8' },
];

/** Carbon: within 5 %. The MFU is that of the published GPU-hours by 6 · N · D: what is tested is the way from hours to tonnes. */
// oxfmt-ignore
export const CARBON: readonly PublishedRun[] = [
  { run: 'Llama 2 7B', given: `--model llama2-7b --tokens 2T ${llama2}`, efficiency: '--mfu 0.39', outcome: 31.2, unit: 't CO₂', source: 'arXiv:2307.09288' },
  { run: 'Llama 2 70B', given: `--model llama2-70b --tokens 2T ${llama2}`, efficiency: '--mfu 0.43', outcome: 291, unit: 't CO₂', source: 'arXiv:2307.09288' },
];

/** A mesh that ran, or one that cannot: what a planner's memory is tested by. */
export interface PublishedMesh {
  run: string;
  given: string;
  fits: boolean;
  /** GB that other sums of the same parts give; null where nobody states any. */
  gigabytes: number | null;
}

const bloom =
  '--model bloom-176b --gpu a100 --gpus 384 --mesh data=8,tensor=4,pipeline=12 --micro-batch 2 --attention matrix --no-sequence-parallel';
const llama405 =
  '--model llama3.1-405b --gpu h100 --gpus 8192 --mesh data=64,tensor=8,pipeline=16 --zero 2 --micro-batch 1 --batch 2048';
const titan = '--model llama3.1-8b --tokens 1T --gpus 8 --mesh data=8 --zero 3 --micro-batch 2 --recompute selective';

/** Six meshes that ran, with one of them interleaved, and meshes that cannot. */
// oxfmt-ignore
export const MESHES: readonly PublishedMesh[] = [
  { run: 'BLOOM 176B', given: `${bloom} --recompute full`, fits: true, gigabytes: 47 },
  { run: 'Narayanan 1T', given: '--model megatron-1t --gpu a100 --gpus 3072 --mesh data=6,tensor=8,pipeline=64 --zero 0 --micro-batch 1 --recompute full --attention matrix --no-sequence-parallel', fits: true, gigabytes: 55 },
  { run: 'Korthikanti 22B', given: '--model megatron-22b --tokens 1T --gpu a100 --gpus 8 --mesh tensor=8 --zero 0 --micro-batch 4 --batch 4 --recompute none', fits: true, gigabytes: 65 },
  { run: 'Korthikanti 530B', given: '--model megatron-530b --gpu a100 --gpus 280 --mesh tensor=8,pipeline=35 --chunks 3 --zero 0 --micro-batch 1 --batch 280 --recompute none', fits: true, gigabytes: 64 },
  { run: 'TinyLlama', given: '--model tinyllama-1.1b --gpu a100-40gb --gpus 16 --mesh data=16 --zero 3 --micro-batch 8 --recompute none', fits: true, gigabytes: 29 },
  { run: 'Llama 3 405B', given: `${llama405} --recompute selective`, fits: true, gigabytes: 57 },
  { run: 'Llama 3 405B, interleaved', given: `${llama405} --recompute selective --chunks 8`, fits: true, gigabytes: 62 },
  { run: 'torchtitan 8B on 96 GB', given: `${titan} --gpu h100-96gb`, fits: true, gigabytes: 92 },
  { run: '7.5B, plain data parallel', given: '--model megatron-7.5b --tokens 300B --gpu a100 --gpus 64 --mesh data=64 --zero 0 --micro-batch 1 --recompute full', fits: false, gigabytes: null },
  { run: 'GPT-3 175B, tensor 8 alone', given: '--model gpt3-175b --gpu a100 --gpus 1024 --mesh data=128,tensor=8 --zero 1 --micro-batch 1 --recompute full', fits: false, gigabytes: null },
  { run: 'Llama 3 405B, tensor 8, no pipeline', given: '--model llama3.1-405b --gpu h100 --gpus 8192 --mesh data=1024,tensor=8 --zero 2 --micro-batch 1 --recompute full', fits: false, gigabytes: null },
  { run: 'Llama 3 405B, interleaved, nothing made anew', given: `${llama405} --recompute none --chunks 8`, fits: false, gigabytes: 88 },
  { run: 'torchtitan 8B on 80 GB', given: `${titan} --gpu h100`, fits: false, gigabytes: 92 },
  { run: 'BLOOM 176B, nothing made anew, matrix kept', given: `${bloom} --recompute none`, fits: false, gigabytes: 192 },
];
