import { column, defineTable, type Row } from './schema.ts';

export const metrics = defineTable({
  name: 'metrics',
  about: 'What a training reports beside its loss: one row a number.',
  columns: {
    run: column('text', 'run'),
    step: column('int', 'weight update after or in which it was measured, counted from 1'),
    name: column('text', 'what was measured: kl, margin, accuracy, chosen_log_probability …'),
    value: column('float', 'the number'),
  },
});
export type Metric = Row<typeof metrics>;
