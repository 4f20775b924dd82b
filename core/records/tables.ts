import { column, defineTable, optional, type Row } from './schema.ts';

export const captures = defineTable({
  name: 'captures',
  about: 'Every URL that a crawl or an archive touched, refused ones too: one row a WARC record or a refusal.',
  columns: {
    id: column('text', 'id of the WARC record, or of the refusal'),
    source: column('text', 'name of the source in the recipe'),
    url: column('text', 'normalised URL that was asked for'),
    referrer: optional('text', 'page on which the URL was found first'),
    depth: optional('int', 'links followed from a seed [count]'),
    fetched_at: optional('time', 'when the answer began'),
    status: optional('int', 'HTTP status'),
    media_type: optional('text', 'media type as the server said it, without parameters'),
    charset: optional('text', 'charset as the server said it'),
    bytes: optional('int', 'payload as it came over the wire [bytes]'),
    digest: optional('text', 'SHA-256 of the payload, "sha256:" and hexadecimal digits'),
    warc_file: optional('text', 'file under captures/, or the input file itself'),
    warc_offset: optional('int', 'where the record starts in that file [bytes]'),
    warc_length: optional('int', 'its compressed length [bytes]'),
    outcome: column('text', 'fetched, redirected, failed, refused, skipped, needs_browser or not_page'),
    reason: optional(
      'text',
      'why, where the outcome is not fetched: robots, scope, depth, size, timeout, status_404 …',
    ),
    location: optional('text', 'where a redirect leads'),
    opt_outs: column('texts', 'what the page or server asks not to be done: noindex, noai, notrain …'),
    licence: optional('text', 'licence URL that the page states'),
  },
});
export type Capture = Row<typeof captures>;

export const documents = defineTable({
  name: 'documents',
  about: 'Extracted text with its metadata, before any edit.',
  columns: {
    id: column('text', '128-bit hash of source and record key, 32 hexadecimal digits'),
    capture_id: optional('text', 'the capture it was read from'),
    source: column('text', 'name of the source in the recipe'),
    url: optional('text', 'where it was published'),
    text: column('text', 'extracted text, line feeds between blocks'),
    title: optional('text', 'title of the page'),
    author: optional('text', 'author as stated'),
    published: optional('text', 'date as stated, ISO 8601'),
    language: optional('text', 'language as the page or record states it, BCP 47'),
    licence: optional('text', 'licence URL as stated'),
    metadata: column('map', 'other fields of the input record'),
    location: column('text', 'file and record in the input'),
  },
});
export type Document = Row<typeof documents>;

export const edits = defineTable({
  name: 'edits',
  about: 'Replacements over the extracted text of a document; offsets are UTF-16 code units.',
  columns: {
    document_id: column('text', 'document'),
    start: column('int', 'first code unit that is replaced'),
    end: column('int', 'code unit after the last one'),
    replacement: column('text', 'what stands there in the edited text'),
    rule: column('text', 'which masker or cutter'),
    value_hash: optional('text', 'HMAC-SHA-256 of the removed value under GARNER_KEY, where one was given'),
  },
});
export type Edit = Row<typeof edits>;

export const texts = defineTable({
  name: 'texts',
  about: 'Edited text of the documents in which anything was edited; a null field stays as it was extracted.',
  columns: {
    document_id: column('text', 'document'),
    text: column('text', 'text after its edits'),
    title: optional('text', 'title after its edits, where it had any'),
    author: optional('text', 'author after its edits, where it had any'),
    metadata: optional('map', 'other fields after their edits, where they had any'),
  },
});
export type EditedText = Row<typeof texts>;

export const decisions = defineTable({
  name: 'decisions',
  about: 'Every verdict: who, which rule, which value, which threshold, which evidence.',
  columns: {
    subject_id: column('text', 'document or capture'),
    stage: column('text', 'stage that decided'),
    rule: column('text', 'rule, by its name in the recipe'),
    filter: optional('text', 'filter that the rule belongs to'),
    signal: optional('text', 'signal it looked at'),
    value: optional('float', 'measured number'),
    label: optional('text', 'measured label'),
    threshold: optional('text', 'number or set it was held against'),
    verdict: column('text', 'keep, drop, edit, merge or refuse'),
    evidence: optional('text', 'id, span, or a quote of at most 120 characters, masked'),
  },
});
export type Decision = Row<typeof decisions>;

export const duplicates = defineTable({
  name: 'duplicates',
  about: 'Documents that say what another one says, and which one is kept.',
  columns: {
    document_id: column('text', 'the copy'),
    kept_id: column('text', 'the document that stays'),
    kind: column('text', 'exact or near'),
    similarity: column('float', 'Jaccard of shingles, verified on the texts; 1 for exact'),
    matched_id: column('text', 'the neighbour it was verified against'),
    band: optional('int', 'first MinHash band that proposed the pair'),
  },
});
export type Duplicate = Row<typeof duplicates>;

export const snapshot = defineTable({
  name: 'snapshot_documents',
  about: 'The documents of a published snapshot, with their edited text.',
  columns: {
    id: column('text', 'document'),
    source: column('text', 'name of the source in the recipe'),
    url: optional('text', 'where it was published'),
    title: optional('text', 'title'),
    language: optional('text', 'language as identified, else as stated'),
    licence: optional('text', 'licence URL as stated'),
    text: column('text', 'edited text'),
    split: column('text', 'train or validation'),
    repeats: column('int', 'how often an epoch shows it [count]'),
  },
});
export type SnapshotDocument = Row<typeof snapshot>;

export const tokenIndex = defineTable({
  name: 'shards',
  about: 'Where each document lies in the token shards.',
  columns: {
    document_id: column('text', 'document'),
    split: column('text', 'train or validation'),
    source: column('text', 'name of the source in the recipe'),
    shard: column('text', 'Arrow file'),
    offset: column('int', 'first token in the shard [tokens]'),
    length: column('int', 'end-of-text token included [tokens]'),
    bytes: column('int', 'UTF-8 bytes of the text'),
  },
});
export type TokenIndexRow = Row<typeof tokenIndex>;

export const steps = defineTable({
  name: 'steps',
  about: 'One row a weight update.',
  columns: {
    run: column('text', 'run'),
    step: column('int', 'counted from 1'),
    loss: column(
      'float',
      'mean over the trained tokens; over pairs or answers where those are what is learned from [nats]',
    ),
    learning_rate: column('float', 'peak schedule value at this step'),
    gradient_norm: column('float', 'before clipping'),
    tokens: column('int', 'trained tokens so far'),
    first_sample: column('int', 'first sample of the step in the stream'),
    samples: column('int', 'samples of the step'),
    validation_loss: optional('float', 'where it was measured after this step [nats per token]'),
    bits_per_byte: optional('float', 'of the validation split, where it was measured'),
  },
});
export type Step = Row<typeof steps>;
