import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeTokenizerJson } from '../../tokenizer/encode/index.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';
import { chatTemplate } from '../../trainer/chat/template.ts';
import { toHuggingFace } from '../../trainer/checkpoint/config.ts';
import { writeSafetensors } from '../../trainer/checkpoint/safetensors.ts';
import { configOfDepth, type ModelConfig } from '../../trainer/model/config.ts';
import { weightsOf } from '../../trainer/model/weights.ts';
import { openVocabulary } from '../../trainer/sample/vocabulary.ts';
import { normals } from './ops/harness.ts';
import { sentences } from './toy-lake.ts';

/**
 * A folder with a model of random weights that speaks ChatML: it writes nonsense in English and Chinese, now and then half a
 * character. `endless`: it never ends by itself. A base model has no template.
 */
export async function toyModel(
  folder: string,
  over: Partial<ModelConfig> & { endless?: boolean; base?: boolean } = {},
): Promise<ModelConfig> {
  const { endless = false, base = false, ...shape } = over;
  const trained = await trainTokenizer(
    (async function* () {
      for (const text of sentences(200, 1)) yield Buffer.from(text);
    })(),
    { split: 'cl100k', vocabulary: 300 },
  );
  mkdirSync(folder, { recursive: true });
  const tokenizer = join(folder, 'tokenizer.json');
  writeFileSync(tokenizer, writeTokenizerJson(trained.vocabulary));
  const vocabulary = openVocabulary(tokenizer);
  const config = configOfDepth(2, {
    vocabulary: vocabulary.size,
    context: 256,
    width: 32,
    heads: 4,
    keyValueHeads: 2,
    headSize: 8,
    tiedEmbeddings: false,
    ...shape,
  });
  const chat = chatTemplate(vocabulary);
  const ends = [vocabulary.endOfText, chat.end];
  const tensors = weightsOf(config).map(({ name, shape: size }, i) => {
    const count = size.reduce((n, d) => n * d, 1);
    const data = Float32Array.from(normals(count, i + 1, size.length > 1 ? 0.3 : 0.1), (x) =>
      size.length > 1 ? x : 1 + x,
    );
    // every state keeps its first number, which speaks against the ends
    if (endless && name === 'model.embed_tokens.weight') for (let at = 0; at < count; at += config.width) data[at] = 3;
    if (endless && /(o|down)_proj\.weight$/.test(name)) data.fill(0, 0, size[1]);
    if (endless && name === 'model.norm.weight') data[0] = 1;
    if (endless && name === 'lm_head.weight')
      for (const id of ends) data.fill(0, id * config.width, (id + 1) * config.width)[id * config.width] = -30;
    return { name, shape: size, data: () => data };
  });
  writeSafetensors(join(folder, 'model.safetensors'), tensors);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(toHuggingFace(config, chat.end)));
  if (!base) writeFileSync(join(folder, 'chat_template.jinja'), chat.jinja);
  return config;
}
