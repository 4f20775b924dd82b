import { column, defineTable, optional } from '../../core/records/index.ts';

export const signatures = defineTable({
  name: 'signatures',
  about: 'What deduplication needs to know of a document: its fingerprint and its MinHash signature.',
  columns: {
    document_id: column('text', 'document'),
    fingerprint: column('text', 'hash of the normalised text, 32 hexadecimal digits: equal for exact duplicates'),
    length: column('int', 'of the edited text [UTF-16 code units]'),
    shingles: column('int', 'distinct 5-token shingles [count]'),
    signature: optional(
      'bytes',
      'minima of the MinHash functions, 8 bytes each, little-endian; NULL for a text without tokens',
    ),
  },
});
