import { GarnerError } from '../../core/errors.ts';
import { slowNotice } from '../../datasets/dedup/minhash.ts';
import { dedupRecipe } from '../../datasets/dedup/recipe.ts';
import { createDeduplicator } from '../../datasets/dedup/stream.ts';
import { defineCommand } from '../command.ts';
import { pipe, type Id } from '../pipe.ts';

export default defineCommand({
  name: 'dedup',
  summary: 'find exact and near-duplicates in JSON lines: {id, text} to {id, duplicateOf, similarity}',
  arguments: [{ name: '[file]', about: 'JSON lines (.gz too); - or nothing reads standard input' }],
  options: [
    { flag: '--threshold <j>', about: 'least Jaccard similarity of 5-token shingles', default: 0.8, parse: share },
    { flag: '--recall <r>', about: 'share of the pairs right at the threshold to find', default: 0.999, parse: share },
    { flag: '--normalise', about: 'compare without punctuation, in one Unicode form (exact duplicates always are)' },
    { flag: '--seed <n>', about: 'seed of the hash functions', default: 1, parse: Number },
  ],
  examples: [
    'garner dedup pages.jsonl --threshold 0.8 | jq -c "select(.duplicateOf)"',
    'garner dedup - < pages.jsonl | jq -r "select(.duplicateOf == null and .error == null).id" > kept.txt',
  ],
  async run([file], options, terminal) {
    const settings = dedupRecipe.safeParse({
      threshold: options['threshold'],
      recall: options['recall'],
      seed: options['seed'],
      normalise: options['normalise'] ?? false,
    });
    if (!settings.success) {
      const { path, message } = settings.error.issues[0]!;
      throw new GarnerError({
        what: message,
        where: `--${path.join('.')}`,
        hint: 'see "garner dedup --help"',
        fault: 2,
      });
    }
    const { normalise, ...rest } = settings.data;
    const texts = createDeduplicator({ ...rest, reading: normalise ? 'normalised' : 'plain' });
    const slow = slowNotice();
    if (slow) terminal.stderr.write(`garner: ${slow}\n`);
    const ids: Id[] = [];
    try {
      const code = await pipe(file, terminal, ({ id, text }) => {
        if (typeof text !== 'string') return { id, error: 'no_text' };
        const { duplicateOf, similarity } = texts.add(text);
        ids.push(duplicateOf === null ? id : '');
        return {
          id,
          duplicateOf: duplicateOf === null ? null : ids[duplicateOf]!,
          similarity: similarity === null ? null : Number(similarity.toFixed(6)),
        };
      });
      const crowded = texts.crowded();
      if (crowded > 0)
        terminal.stderr.write(
          `garner: so many texts are alike that ${crowded} comparisons were cut short: some near-duplicates may have stayed\n`,
        );
      return code;
    } finally {
      texts.close();
    }
  },
});

function share(value: string): number {
  const n = Number(value);
  if (value.trim() !== '' && n > 0 && n <= 1) return n;
  throw new GarnerError({ what: `"${value}" is no number above 0 and up to 1`, where: 'dedup', fault: 2 });
}
