import { documentParts, readDocuments, type Part } from '../../core/lake/documents.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { decisions, edits, texts, type Document } from '../../core/records/index.ts';
import { dependencyVersion } from '../../core/root.ts';
import { defineStage } from '../../core/stage/index.ts';
import { keyDigest, keyFromEnvironment, mask, type MaskEdit, type MaskOptions } from '../privacy/mask.ts';
import { detectOptions, type MaskRecipe } from '../privacy/recipe.ts';

interface MaskParams extends Omit<MaskOptions, 'key'> {
  /** Digest of GARNER_KEY: the hashes in the edits depend on the key. */
  key: string | null;
  phoneTables: string;
}

type Searched = Pick<Document, 'id' | 'text' | 'title' | 'author' | 'metadata'>;

/**
 * Extracted documents → edits over personal data in their texts, the edited text of the documents that have any, and a
 * decision an edit. Titles, authors and other fields, their names too, are masked; there the decision names the field.
 */
export default defineStage<{ mask?: MaskRecipe | undefined }, MaskParams>({
  name: 'mask',
  version: 4,
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
    for await (const batch of readDocuments(io.lake, part, ['id', 'text', 'title', 'author', 'metadata'])) {
      for (const document of batch) {
        counts['documents']!++;
        const masked = maskDocument(document, options);
        if (masked.found.length === 0) continue;
        counts['edited']!++;
        counts['edits']! += masked.edits.length;
        out.texts.append({ document_id: document.id, ...masked.fields });
        for (const edit of masked.edits) out.edits.append({ document_id: document.id, ...edit });
        for (const { rule, evidence } of masked.found)
          out.decisions.append({ ...decision, subject_id: document.id, rule, evidence });
      }
      io.progress(counts['documents']!, null);
    }
    for (const table of Object.values(out)) await table.close();
    return counts;
  },
});

interface Masked {
  fields: { text: string; title: string | null; author: string | null; metadata: Record<string, string> | null };
  /** Over the text. */
  edits: MaskEdit[];
  /** Everything that was replaced; the evidence is a span of the text or the name of a field, never the value. */
  found: { rule: string; evidence: string }[];
}

function maskDocument({ text, title, author, metadata }: Searched, options: MaskOptions): Masked {
  const found: Masked['found'] = [];
  const body = mask(text, options);
  for (const { rule, start, end } of body.edits) found.push({ rule, evidence: `${start}-${end}` });
  const field = (name: string, value: string | null): string | null => {
    if (value === null) return null;
    const masked = mask(value, options);
    for (const { rule } of masked.edits) found.push({ rule, evidence: name });
    return masked.edits.length === 0 ? null : masked.text;
  };
  const fields = { text: body.text, title: field('title', title), author: field('author', author) };
  // A name comes from the input too, and would stand in the evidence.
  const others = Object.entries(metadata).map(([given, value]) => {
    const name = field('metadata', given) ?? given;
    return [name, field(`metadata.${name}`, value) ?? value] as const;
  });
  const changed = others.some(([name, value]) => value !== metadata[name]);
  return { fields: { ...fields, metadata: changed ? Object.fromEntries(others) : null }, edits: body.edits, found };
}

const decision = {
  stage: 'mask',
  filter: null,
  signal: null,
  value: null,
  label: null,
  threshold: null,
  verdict: 'edit',
} as const;
