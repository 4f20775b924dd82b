import { basename, join } from 'node:path';
import { sha256File } from '../../core/hash.ts';
import { readTable, writeTable } from '../../core/lake/parquet.ts';
import { snapshot, tokenIndex } from '../../core/records/index.ts';
import { dependencyVersion } from '../../core/root.ts';
import { defineStage, filesIn, only, type Inputs } from '../../core/stage/index.ts';
import { loadTokenizer } from '../encode/index.ts';
import type { TokenizerRecipe } from '../recipe.ts';
import { openTokens, writeShard } from './writer.ts';

/** A shard is closed after the document that brings it to this many tokens: repeats may make it larger than its texts. */
const SHARD_TOKENS = 1 << 27;

/**
 * A file of a snapshot → a token shard and its index. Each document is followed by the end-of-text token; one with
 * `repeats` n is written n times in a row, so that every reader of the shard sees the mix as it is.
 */
export default defineStage<{ tokenizer?: TokenizerRecipe }, { arrow: string }>({
  name: 'shards',
  version: 1,
  module: 'tokenizer/shards/stage',
  inputs: ['mix', 'tokenizer'],
  params: ({ tokenizer }) => (tokenizer === undefined ? null : { arrow: dependencyVersion('apache-arrow') }),
  tasks: (inputs) =>
    filesIn(only(inputs, 'mix'), 'snapshots')
      .filter((f) => f.path.endsWith('.parquet'))
      .map((f) => ({ id: basename(f.path, '.parquet'), input: f.path })),
  async run(task, _params, context) {
    const source = join(context.lake, task.input as string);
    const path = tokenizerPath(context.lake, context.inputs);
    const tokenizer = loadTokenizer(path);
    if (tokenizer.engine === 'typescript') context.notice('shards: no C compiler, encoding in TypeScript');
    const made = { vocabulary: tokenizer.vocabularySize, tokenizer: await sha256File(path) };
    const index = await writeTable(context.file('shards', `${task.id}.parquet`), tokenIndex);
    const tokens = openTokens(tokenizer.vocabularySize);
    const end = Uint32Array.of(tokenizer.endOfText);
    const total = { documents: 0, tokens: 0, bytes: 0 };
    let now = { documents: 0, bytes: 0 };
    let shards = 0;
    const nameOf = (shard: number) => `${task.id}${shard === 0 ? '' : `-${shard}`}.arrow`;
    const close = async () => {
      const name = nameOf(shards++);
      const facts = { ...now, tokens: tokens.length, ...made };
      await writeShard(context.file('tokens', name), tokens.take(), facts);
      context.facts({ [name]: facts });
      now = { documents: 0, bytes: 0 };
    };
    for await (const rows of readTable([source], snapshot, { columns: ['id', 'source', 'split', 'text', 'repeats'] })) {
      for (const document of rows) {
        const utf8 = Buffer.from(document.text);
        const ids = tokenizer.encodeBytes(utf8);
        for (let i = 0; i < document.repeats; i++) {
          index.append({
            document_id: document.id,
            split: document.split,
            source: document.source,
            shard: nameOf(shards),
            offset: tokens.length,
            length: ids.length + 1,
            bytes: utf8.length,
          });
          tokens.append(ids);
          tokens.append(end);
          now.documents++;
          now.bytes += utf8.length;
          total.documents++;
          total.bytes += utf8.length;
          total.tokens += ids.length + 1;
          if (tokens.length >= SHARD_TOKENS) await close();
        }
      }
      context.progress(total.documents, null, `${total.documents} documents`);
    }
    if (shards === 0 || tokens.length > 0) await close();
    await index.close();
    return { ...total };
  },
});

/** The tokenizer.json of a run. */
function tokenizerPath(lake: string, inputs: Inputs): string {
  const file = filesIn(only(inputs, 'tokenizer'), 'tokenizers').find((f) => basename(f.path) === 'tokenizer.json');
  if (!file) throw new Error('the stage "tokenizer" made no tokenizer.json');
  return join(lake, file.path);
}
