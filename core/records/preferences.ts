import { column, defineTable, optional, type Row } from './schema.ts';

export const preferences = defineTable({
  name: 'preferences',
  about: 'Pairs of answers to one prompt, of which one was preferred.',
  columns: {
    id: column('text', 'the record’s own id, else a hash of its content'),
    source: column('text', 'name of the source: the record’s own, else its file'),
    prompt: column('messages', 'turns before the answer'),
    chosen: column('text', 'the answer that was preferred'),
    rejected: column('text', 'the other one'),
    judge: optional('text', 'who preferred it, where that is known'),
    at: optional('time', 'when'),
    judgement: optional('text', 'the judgement it comes from'),
  },
});
export type Preference = Row<typeof preferences>;

export const unpaired = defineTable({
  name: 'unpaired',
  about: 'Single answers judged good or bad.',
  columns: {
    id: column('text', 'the record’s own id, else a hash of its content'),
    source: column('text', 'name of the source: the record’s own, else its file'),
    prompt: column('messages', 'turns before the answer'),
    answer: column('text', 'the answer'),
    good: column('bool', 'whether it was judged good'),
  },
});
export type Unpaired = Row<typeof unpaired>;
