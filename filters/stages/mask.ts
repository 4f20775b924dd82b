import { documentParts, readDocuments, type Part } from '../../core/lake/documents.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { decisions, edits, texts } from '../../core/records/index.ts';
import { dependencyVersion } from '../../core/root.ts';
import { defineStage } from '../../core/stage/index.ts';
import { keyDigest, keyFromEnvironment, mask, type MaskOptions } from '../privacy/mask.ts';
import { detectOptions, type MaskRecipe } from '../privacy/recipe.ts';

interface MaskParams extends Omit<MaskOptions, 'key'> {
  /** Digest of GARNER_KEY: the hashes in the edits depend on the key. */
  key: string | null;
  phoneTables: string;
}

/** Extracted documents → edits over personal data, the edited text of the documents that have any, and a decision an edit. */
export default defineStage<{ mask?: MaskRecipe | undefined }, MaskParams>({
  name: 'mask',
  version: 1,
  module: 'filters/stages/mask',
  inputs: ['read', 'extract'],
  params: ({ mask: section }) =>
    section
      ? {
          detect: detectOptions(section),
          replacement: section.replacement,
          key: keyDigest(keyFromEnvironment()),
          phoneTables: dependencyVersion('libphonenumber-js'),
        }
      : null,
  tasks: (inputs) => documentParts(inputs).map((part) => ({ id: part.id, input: part })),
  async run(task, p, io) {
    const part = task.input as Part;
    const key = keyFromEnvironment();
    if (keyDigest(key) !== p.key) throw new Error('mask: this process was started with another GARNER_KEY');
    const out = {
      edits: await writeTable(io.file('edits', `${part.id}.parquet`), edits),
      texts: await writeTable(io.file('texts', `${part.id}.parquet`), texts),
      decisions: await writeTable(io.file('decisions', `${part.id}.parquet`), decisions),
    };
    const options = { detect: p.detect, replacement: p.replacement, key };
    const counts: Record<string, number> = { documents: 0, edited: 0, edits: 0 };
    for await (const batch of readDocuments(io.lake, part, ['id', 'text'])) {
      for (const { id, text } of batch) {
        const masked = mask(text, options);
        counts['documents']!++;
        if (masked.edits.length === 0) continue;
        counts['edited']!++;
        out.texts.append({ document_id: id, text: masked.text });
        for (const edit of masked.edits) {
          counts['edits']!++;
          out.edits.append({ document_id: id, ...edit });
          out.decisions.append({ ...decision, subject_id: id, rule: edit.rule, evidence: `${edit.start}-${edit.end}` });
        }
      }
      io.progress(counts['documents']!, null);
    }
    for (const table of Object.values(out)) await table.close();
    return counts;
  },
});

/** The evidence is a span, never the value. */
const decision = {
  stage: 'mask',
  filter: null,
  signal: null,
  value: null,
  label: null,
  threshold: null,
  verdict: 'edit',
} as const;
