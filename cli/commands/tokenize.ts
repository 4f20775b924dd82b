import { GarnerError, nearest } from '../../core/errors.ts';
import { loadTokenizer, SPLITS, type SplitName } from '../../tokenizer/encode/index.ts';
import { defineCommand } from '../command.ts';
import { pipe } from '../pipe.ts';

export default defineCommand({
  name: 'tokenize',
  summary: 'turn texts of JSON lines into token ids: {id, text} to {id, ids}',
  arguments: [{ name: '[file]', about: 'JSON lines (.gz too); - or nothing reads standard input' }],
  options: [
    { flag: '--tokenizer <file>', about: 'a tokenizer.json, or a tiktoken ranks file' },
    { flag: '--split <name>', about: `how a ranks file splits text: ${SPLITS.join(', ')}`, parse: splitName },
  ],
  examples: [
    'garner tokenize pages.jsonl --tokenizer tokenizer.json > ids.jsonl',
    'garner tokenize pages.jsonl --tokenizer cl100k_base.tiktoken --split cl100k',
  ],
  run([file], options, terminal) {
    const path = options['tokenizer'] as string | undefined;
    if (path === undefined)
      throw new GarnerError({
        what: 'no tokenizer is named',
        hint: 'add --tokenizer FILE; "garner tokenizer train" makes one',
        fault: 2,
      });
    const tokenizer = loadTokenizer(path, { split: options['split'] as SplitName | undefined });
    if (tokenizer.engine === 'typescript') terminal.stderr.write('garner: no C compiler, encoding in TypeScript\n');
    return pipe(file, terminal, ({ id, text }) =>
      typeof text === 'string' ? { id, ids: Array.from(tokenizer.encode(text)) } : { id, error: 'no_text' },
    );
  },
});

/** The value of --split, or a GarnerError that names the nearest. */
export function splitName(value: string): SplitName {
  const found = SPLITS.find((name) => name === value);
  if (found) return found;
  const guess = nearest(value, SPLITS);
  throw new GarnerError({
    what: `there is no split "${value}"`,
    where: '--split',
    hint: `${guess ? `did you mean "${guess}"? ` : ''}(all: ${SPLITS.join(', ')})`,
    fault: 2,
  });
}
