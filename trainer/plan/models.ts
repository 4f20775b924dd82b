import { GarnerError, nearest } from '../../core/errors.ts';
import { FAMILIES, type Family, type Shape } from './shape.ts';

/** A model whose shape and training are published. */
export interface KnownModel extends Shape {
  name: string;
  /** Length of a row that it was trained with [tokens]. */
  sequence: number;
  /** Tokens that it was trained on; null where nobody says. */
  tokens: number | null;
  /** Tokens of a step; null where nobody says. */
  batchTokens: number | null;
  source: string;
}

const M = 1e6;
const B = 1e9;
const T = 1e12;

/** layers, width, heads, key/value heads, head size, feed-forward, vocabulary. */
type Sizes = readonly [number, number, number, number, number, number, number];
type Row = readonly [
  name: string,
  family: Family,
  sizes: Sizes,
  sequence: number,
  tokens: number | null,
  batch: number | null,
  source: string,
  more?: Partial<Shape>,
];

const gpt2 = 'Radford et al. 2019';
const llmc = 'karpathy/llm.c: vocabulary padded to 50,304';
const gpt3 = 'arXiv:2005.14165, table 2.1';
const llama1 = 'arXiv:2302.13971, table 2';
const llama2 = 'arXiv:2307.09288 and its model card';
const llama3 = 'arXiv:2407.21783 and its model card';
const qwen25 = 'arXiv:2412.15115 and its config.json';
const qwen3 = 'arXiv:2505.09388 and its config.json';
const smol = 'arXiv:2502.02737 and its config.json';
const megatron21 = 'Narayanan et al. 2021, arXiv:2104.04473, table 1';
const megatron22 = 'Korthikanti et al. 2022, arXiv:2205.05198, table 3';
const palm = 'arXiv:2204.02311, table 1';
const nanochat = 'karpathy/nanochat of October 2025';

/** One line a model. GPT rows have as many learned positions as their sequence is long, unless the row says otherwise. */
// oxfmt-ignore
const ROWS: readonly Row[] = [
  ['gpt2-124m', 'gpt', [12, 768, 12, 12, 64, 3072, 50257], 1024, null, 0.5 * M, gpt2],
  ['gpt2-350m', 'gpt', [24, 1024, 16, 16, 64, 4096, 50257], 1024, null, 0.5 * M, gpt2],
  ['gpt2-774m', 'gpt', [36, 1280, 20, 20, 64, 5120, 50257], 1024, null, 0.5 * M, gpt2],
  ['gpt2-1558m', 'gpt', [48, 1600, 25, 25, 64, 6400, 50257], 1024, null, 0.5 * M, gpt2],
  ['llm.c-124m', 'gpt', [12, 768, 12, 12, 64, 3072, 50304], 1024, 9.9 * B, 524_288, llmc],
  ['llm.c-350m', 'gpt', [24, 1024, 16, 16, 64, 4096, 50304], 1024, 31.5 * B, 524_288, llmc],
  ['llm.c-774m', 'gpt', [36, 1280, 20, 20, 64, 5120, 50304], 1024, 150 * B, 524_288, llmc],
  ['llm.c-1558m', 'gpt', [48, 1600, 25, 25, 64, 6400, 50304], 1024, 33.6 * B, 1_048_576, llmc],
  ['gpt3-125m', 'megatron', [12, 768, 12, 12, 64, 3072, 50257], 2048, 300 * B, 0.5 * M, gpt3],
  ['gpt3-350m', 'megatron', [24, 1024, 16, 16, 64, 4096, 50257], 2048, 300 * B, 0.5 * M, gpt3],
  ['gpt3-760m', 'megatron', [24, 1536, 16, 16, 96, 6144, 50257], 2048, 300 * B, 0.5 * M, gpt3],
  ['gpt3-1.3b', 'megatron', [24, 2048, 16, 16, 128, 8192, 50257], 2048, 300 * B, 1 * M, gpt3],
  ['gpt3-2.7b', 'megatron', [32, 2560, 32, 32, 80, 10240, 50257], 2048, 300 * B, 1 * M, gpt3],
  ['gpt3-6.7b', 'megatron', [32, 4096, 32, 32, 128, 16384, 50257], 2048, 300 * B, 2 * M, gpt3],
  ['gpt3-13b', 'megatron', [40, 5120, 40, 40, 128, 20480, 50257], 2048, 300 * B, 2 * M, gpt3],
  ['gpt3-175b', 'megatron', [96, 12288, 96, 96, 128, 49152, 50257], 2048, 300 * B, 3.2 * M, gpt3],
  ['opt-175b', 'megatron', [96, 12288, 96, 96, 128, 49152, 50272], 2048, 300 * B, 2 * M, 'arXiv:2205.01068'],
  ['bloom-176b', 'megatron', [70, 14336, 112, 112, 128, 57344, 250880], 2048, 366 * B, 4.2 * M, 'arXiv:2211.05100', { positions: 0 }],
  ['gpt-neox-20b', 'neox', [44, 6144, 64, 64, 96, 24576, 50432], 2048, 473 * B, 3.15 * M, 'arXiv:2204.06745'],
  ['megatron-1.7b', 'megatron', [24, 2304, 24, 24, 96, 9216, 51200], 2048, null, 1 * M, megatron21],
  ['megatron-3.6b', 'megatron', [30, 3072, 32, 32, 96, 12288, 51200], 2048, null, 1 * M, megatron21],
  ['megatron-7.5b', 'megatron', [36, 4096, 32, 32, 128, 16384, 51200], 2048, null, 1 * M, megatron21],
  ['megatron-18b', 'megatron', [40, 6144, 48, 48, 128, 24576, 51200], 2048, null, 2 * M, megatron21],
  ['megatron-22b', 'megatron', [48, 6144, 64, 64, 96, 24576, 51200], 2048, null, 8192, megatron22],
  ['megatron-39b', 'megatron', [48, 8192, 64, 64, 128, 32768, 51200], 2048, null, 3 * M, megatron21],
  ['megatron-76b', 'megatron', [60, 10240, 80, 80, 128, 40960, 51200], 2048, null, 3.7 * M, megatron21],
  ['megatron-145b', 'megatron', [80, 12288, 96, 96, 128, 49152, 51200], 2048, null, 4.7 * M, megatron21],
  ['megatron-175b', 'megatron', [96, 12288, 96, 96, 128, 49152, 51200], 2048, 300 * B, 3.1 * M, megatron21],
  ['megatron-310b', 'megatron', [96, 16384, 128, 128, 128, 65536, 51200], 2048, null, 4.4 * M, megatron21],
  ['megatron-530b', 'megatron', [105, 20480, 128, 128, 160, 81920, 51200], 2048, 270 * B, 5.2 * M, megatron22],
  ['megatron-1t', 'megatron', [128, 25600, 160, 160, 160, 102400, 51200], 2048, 450 * B, 6.3 * M, megatron22],
  ['palm-8b', 'palm', [32, 4096, 16, 1, 256, 16384, 256000], 2048, 780 * B, 2.1 * M, palm],
  ['palm-62b', 'palm', [64, 8192, 32, 1, 256, 32768, 256000], 2048, 795 * B, 2.1 * M, palm],
  ['palm-540b', 'palm', [118, 18432, 48, 1, 256, 73728, 256000], 2048, 780 * B, 4.2 * M, palm],
  ['llama-7b', 'llama', [32, 4096, 32, 32, 128, 11008, 32000], 2048, 1 * T, 4.2 * M, llama1],
  ['llama-13b', 'llama', [40, 5120, 40, 40, 128, 13824, 32000], 2048, 1 * T, 4.2 * M, llama1],
  ['llama-33b', 'llama', [60, 6656, 52, 52, 128, 17920, 32000], 2048, 1.4 * T, 4.2 * M, llama1],
  ['llama-65b', 'llama', [80, 8192, 64, 64, 128, 22016, 32000], 2048, 1.4 * T, 4.2 * M, llama1],
  ['llama2-7b', 'llama', [32, 4096, 32, 32, 128, 11008, 32000], 4096, 2 * T, 4.2 * M, llama2],
  ['llama2-13b', 'llama', [40, 5120, 40, 40, 128, 13824, 32000], 4096, 2 * T, 4.2 * M, llama2],
  ['llama2-34b', 'llama', [48, 8192, 64, 8, 128, 22016, 32000], 4096, 2 * T, 4.2 * M, llama2],
  ['llama2-70b', 'llama', [80, 8192, 64, 8, 128, 28672, 32000], 4096, 2 * T, 4.2 * M, llama2],
  ['llama3-8b', 'llama', [32, 4096, 32, 8, 128, 14336, 128256], 8192, 15 * T, 8.4 * M, llama3],
  ['llama3-70b', 'llama', [80, 8192, 64, 8, 128, 28672, 128256], 8192, 15 * T, 8.4 * M, llama3],
  ['llama3.1-8b', 'llama', [32, 4096, 32, 8, 128, 14336, 128256], 8192, 15 * T, 8.4 * M, llama3],
  ['llama3.1-70b', 'llama', [80, 8192, 64, 8, 128, 28672, 128256], 8192, 15 * T, 8.4 * M, llama3],
  ['llama3.1-405b', 'llama', [126, 16384, 128, 8, 128, 53248, 128256], 8192, 15.6 * T, 16.8 * M, llama3],
  ['llama3.2-1b', 'llama', [16, 2048, 32, 8, 64, 8192, 128256], 8192, 9 * T, null, llama3, { tied: true }],
  ['llama3.2-3b', 'llama', [28, 3072, 24, 8, 128, 8192, 128256], 8192, 9 * T, null, llama3, { tied: true }],
  ['tinyllama-1.1b', 'llama', [22, 2048, 32, 4, 64, 5632, 32000], 2048, 3 * T, 2.1 * M, 'jzhang38/TinyLlama'],
  ['mistral-7b', 'llama', [32, 4096, 32, 8, 128, 14336, 32000], 8192, null, null, 'arXiv:2310.06825, table 1'],
  ['minicpm-2.4b', 'llama', [40, 2304, 36, 36, 64, 5760, 122753], 4096, 1 * T, 3.9 * M, 'arXiv:2404.06395', { tied: true }],
  ['olmo2-7b', 'llama', [32, 4096, 32, 32, 128, 11008, 100352], 4096, 4 * T, 4.2 * M, 'arXiv:2501.00656', { headNorm: 'learned' }],
  ['smollm-1.7b', 'llama', [24, 2048, 32, 32, 64, 8192, 49152], 2048, 1 * T, 2.1 * M, smol, { tied: true }],
  ['smollm2-135m', 'llama', [30, 576, 9, 3, 64, 1536, 49152], 2048, 2 * T, 2.1 * M, smol, { tied: true }],
  ['smollm2-360m', 'llama', [32, 960, 15, 5, 64, 2560, 49152], 2048, 4 * T, 2.1 * M, smol, { tied: true }],
  ['smollm2-1.7b', 'llama', [24, 2048, 32, 32, 64, 8192, 49152], 2048, 11 * T, 2.1 * M, smol, { tied: true }],
  ['smollm3-3b', 'llama', [36, 2048, 16, 4, 128, 11008, 128256], 4096, 11.2 * T, 2.4 * M, 'its config.json', { tied: true }],
  ['qwen2.5-0.5b', 'qwen2', [24, 896, 14, 2, 64, 4864, 151936], 4096, 18 * T, null, qwen25, { tied: true }],
  ['qwen2.5-1.5b', 'qwen2', [28, 1536, 12, 2, 128, 8960, 151936], 4096, 18 * T, null, qwen25, { tied: true }],
  ['qwen2.5-3b', 'qwen2', [36, 2048, 16, 2, 128, 11008, 151936], 4096, 18 * T, null, qwen25, { tied: true }],
  ['qwen2.5-7b', 'qwen2', [28, 3584, 28, 4, 128, 18944, 152064], 4096, 18 * T, null, qwen25],
  ['qwen2.5-14b', 'qwen2', [48, 5120, 40, 8, 128, 13824, 152064], 4096, 18 * T, null, qwen25],
  ['qwen2.5-32b', 'qwen2', [64, 5120, 40, 8, 128, 27648, 152064], 4096, 18 * T, null, qwen25],
  ['qwen2.5-72b', 'qwen2', [80, 8192, 64, 8, 128, 29568, 152064], 4096, 18 * T, null, qwen25],
  ['qwen3-0.6b', 'qwen3', [28, 1024, 16, 8, 128, 3072, 151936], 4096, 36 * T, null, qwen3, { tied: true }],
  ['qwen3-1.7b', 'qwen3', [28, 2048, 16, 8, 128, 6144, 151936], 4096, 36 * T, null, qwen3, { tied: true }],
  ['qwen3-4b', 'qwen3', [36, 2560, 32, 8, 128, 9728, 151936], 4096, 36 * T, null, qwen3, { tied: true }],
  ['qwen3-8b', 'qwen3', [36, 4096, 32, 8, 128, 12288, 151936], 4096, 36 * T, null, qwen3],
  ['qwen3-14b', 'qwen3', [40, 5120, 40, 8, 128, 17408, 151936], 4096, 36 * T, null, qwen3],
  ['qwen3-32b', 'qwen3', [64, 5120, 64, 8, 128, 25600, 151936], 4096, 36 * T, null, qwen3],
  ['nanochat-d20', 'nanochat', [20, 1280, 10, 10, 128, 5120, 65536], 2048, 11_219_763_200, 524_288, nanochat],
  ['nanochat-d26', 'nanochat', [26, 1664, 13, 13, 128, 6656, 65536], 2048, 21.6 * B, 524_288, nanochat],
  ['nanochat-d32', 'nanochat', [32, 2048, 16, 16, 128, 8192, 65536], 2048, 37_580_963_840, 524_288, nanochat],
  ['nanochat-d34', 'nanochat', [34, 2176, 17, 17, 128, 8704, 65536], 2048, 88_683_315_200, 524_288, nanochat],
];

/** Families whose models learn a vector for each position. */
export const LEARNED_POSITIONS: readonly Family[] = ['gpt', 'megatron'];

/** Every known model, by family and size. */
export const MODELS: readonly KnownModel[] = ROWS.map(
  ([name, family, [layers, width, heads, keyValueHeads, headSize, feedForward, vocabulary], ...rest]) => {
    const [sequence, tokens, batchTokens, source, more] = rest;
    return {
      name,
      layers,
      width,
      heads,
      keyValueHeads,
      headSize,
      feedForward,
      vocabulary,
      ...FAMILIES[family],
      positions: LEARNED_POSITIONS.includes(family) ? sequence : 0,
      ...more,
      sequence,
      tokens,
      batchTokens,
      source,
    };
  },
);

/** Lower case without what people write differently: `Llama-2-7B-hf` and `llama2_7b` are one name. */
const folded = (name: string): string =>
  name
    .toLowerCase()
    .replace(/^[\w.-]{1,60}\//, '')
    .replaceAll(/[\s_-]/g, '')
    .replace(/(?:hf|base)$/, '');

/** Other names that people use. */
const ALIASES: Record<string, string> = {
  gpt2: 'gpt2-124m',
  gpt2small: 'gpt2-124m',
  gpt2medium: 'gpt2-350m',
  gpt2large: 'gpt2-774m',
  gpt2xl: 'gpt2-1558m',
  gpt3: 'gpt3-175b',
  bloom: 'bloom-176b',
  palm: 'palm-540b',
  llama17b: 'llama-7b',
  llama165b: 'llama-65b',
  llama3405b: 'llama3.1-405b',
  tinyllama: 'tinyllama-1.1b',
  mistral: 'mistral-7b',
};

/** A model by its name, written as people write it. Throws a GarnerError that names the nearest ones. */
export function findModel(name: string): KnownModel {
  const wanted = folded(name);
  const found =
    MODELS.find((m) => folded(m.name) === wanted) ??
    MODELS.find((m) => Object.hasOwn(ALIASES, wanted) && m.name === ALIASES[wanted]);
  if (found) return found;
  const names = MODELS.map((m) => m.name);
  const near =
    nearest(name.toLowerCase(), names) ??
    MODELS.find((m) => folded(m.name) === nearest(wanted, names.map(folded)))?.name;
  const alike = names.filter((n) => wanted.length >= 3 && folded(n).startsWith(wanted.slice(0, 4))).slice(0, 8);
  throw new GarnerError({
    what: `no model is called "${name.slice(0, 100)}"`,
    where: '--model',
    hint: near
      ? `did you mean "${near}"?`
      : `known are ${(alike.length > 0 ? alike : ['gpt2-124m', 'llama-7b', 'llama3.1-8b', 'qwen3-8b', '…']).join(', ')}; or give --layers, --width, --heads, --vocabulary`,
    fault: 2,
  });
}
