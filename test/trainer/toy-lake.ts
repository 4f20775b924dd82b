import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sha256File } from '../../core/hash.ts';
import { pretrainSection } from '../../trainer/recipe.ts';
import type { Inputs, Output } from '../../core/stage/index.ts';
import { loadTokenizer, writeTokenizerJson } from '../../tokenizer/encode/index.ts';
import { openTokens, writeShard } from '../../tokenizer/shards/writer.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';

/** Sentences that a tiny model can learn something of, English and Chinese, from a seed. */
export function sentences(count: number, seed: number): string[] {
  let state = seed;
  const pick = (words: readonly string[]) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return words[Math.floor((state / 2 ** 32) * words.length)]!;
  };
  return Array.from({ length: count }, (_, i) =>
    i % 3 === 2
      ? `${pick(['我们', '他们', '孩子', '老师'])}${pick(['喜欢', '看见', '记得'])}${pick(['大海', '山', '城市的灯'])}。`
      : `The ${pick(['whale', 'captain', 'sailor', 'sea'])} ${pick(['saw', 'follows', 'remembers'])} the ${pick(['harbour', 'storm', 'old ship'])}.`,
  );
}

/** A lake with a tokenizer and token shards, as the stages before pretraining leave them. */
export async function toyLake(lake: string): Promise<Inputs> {
  const texts = sentences(600, 1);
  const held = sentences(60, 99);
  const trained = await trainTokenizer(
    (async function* () {
      for (const text of texts) yield Buffer.from(text);
    })(),
    { split: 'cl100k', vocabulary: 400 },
  );
  const tokenizer = join(lake, 'tokenizers', 'toy', 'tokenizer.json');
  mkdirSync(join(tokenizer, '..'), { recursive: true });
  writeFileSync(tokenizer, writeTokenizerJson(trained.vocabulary));
  const folder = join(lake, 'tokens', 'toy');
  mkdirSync(folder, { recursive: true });
  const open = loadTokenizer(tokenizer);
  const shard = async (name: string, documents: string[]) => {
    const tokens = openTokens(open.vocabularySize);
    for (const text of documents) {
      tokens.append(open.encode(text));
      tokens.append(Uint32Array.of(open.endOfText));
    }
    const facts = { documents: documents.length, tokens: tokens.length, bytes: Buffer.byteLength(documents.join('')) };
    await writeShard(join(folder, name), tokens.take(), {
      ...facts,
      vocabulary: open.vocabularySize,
      tokenizer: 'toy',
    });
    return join(folder, name);
  };
  const shards = [
    await shard('train-00000.arrow', texts.slice(0, 350)),
    await shard('train-00001.arrow', texts.slice(350)),
    await shard('validation-00000.arrow', held),
  ];
  return {
    tokenizer: [await output(lake, 'tokenizer', 'tokenizers', [tokenizer])],
    shards: [await output(lake, 'shards', 'tokens', shards)],
  };
}

async function output(lake: string, stage: string, folder: string, paths: string[]): Promise<Output> {
  const files = await Promise.all(
    paths.map(async (path) => ({
      folder,
      path: relative(lake, path),
      bytes: statSync(path).size,
      sha256: await sha256File(path),
    })),
  );
  return {
    stage,
    unit: stage,
    key: 'toy',
    identity: 'toy',
    version: 1,
    params: null,
    inputs: [],
    files,
    counts: {},
    facts: {},
  };
}

/** A section `pretrain` small enough for a test: 24 steps of a model with some ten thousand weights. */
export const toyPretrain = (over: object = {}) => ({
  ...pretrainSection.parse({
    model: { depth: 2, width: 32, heads: 4, kv_heads: 2 },
    sequence: 32,
    batch: 8,
    micro_batch: 2,
    steps: 24,
    learning_rate: { peak: 5e-3 },
    validation: { every: 8, windows: 10 },
    checkpoint: { every: 5, keep: 2 },
    sample: { every: 12, prompts: ['The whale', '我们'], tokens: 12 },
    threads: 1,
    ...over,
  }),
  name: 'toy-pretrain',
});
