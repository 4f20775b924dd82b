import { documentParts, readEditedDocuments, type Part } from '../../../core/lake/documents.ts';
import { writeTable } from '../../../core/lake/parquet.ts';
import { defineStage } from '../../../core/stage/index.ts';
import { createShingler } from '../../../core/text/shingles.ts';
import { createFingerprint } from '../fingerprint.ts';
import { createSigner, slowNotice } from '../minhash.ts';
import type { DedupRecipe } from '../recipe.ts';
import { signatures as table } from '../table.ts';

interface Params {
  functions: number;
  seed: number;
  normalise: boolean;
}

/** Documents → fingerprint and MinHash signature of their edited text. The threshold is not in the key: changing it reads no text. */
export default defineStage<{ dedup?: DedupRecipe | undefined }, Params>({
  name: 'signatures',
  version: 1,
  module: 'datasets/dedup/stages/signatures',
  inputs: ['read', 'extract', 'mask'],
  params: ({ dedup }) => (dedup ? { functions: dedup.functions, seed: dedup.seed, normalise: dedup.normalise } : null),
  tasks: (inputs) => documentParts(inputs).map((part) => ({ id: part.id, input: part })),
  async run(task, p, io) {
    const slow = slowNotice();
    if (slow) io.notice(`signatures: ${slow}`);
    const fingerprint = createFingerprint();
    const shingle = createShingler(p.normalise ? 'normalised' : 'plain');
    const sign = createSigner(p.functions, p.seed);
    const rows = await writeTable(io.file('signatures', `${task.id}.parquet`), table);
    let shingles = 0;
    for await (const batch of readEditedDocuments(io.lake, task.input as Part, io.inputs, ['id', 'text'])) {
      for (const { id, text } of batch) {
        const set = shingle(text);
        const signature = set.length > 0 ? sign(set) : null;
        rows.append({
          document_id: id,
          fingerprint: fingerprint(text),
          length: text.length,
          shingles: set.length,
          signature: signature && new Uint8Array(signature.buffer, signature.byteOffset, signature.byteLength),
        });
        shingles += set.length;
      }
      io.progress(rows.rows, null, `${rows.rows} documents`);
    }
    await rows.close();
    return { documents: rows.rows, shingles };
  },
});
