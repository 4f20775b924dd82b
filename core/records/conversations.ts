import { column, defineTable, optional, type Row } from './schema.ts';

export const conversations = defineTable({
  name: 'conversations',
  about: 'Conversations to learn answers from.',
  columns: {
    id: column('text', 'the record’s own id, else a hash of its file and place'),
    source: column('text', 'name of the source: the record’s own, else its file'),
    messages: column('messages', 'turns in order: system, user, assistant, tool_call, tool'),
    tools: optional('text', 'functions declared to the model, JSON'),
    location: column('text', 'file and record in the input'),
  },
});
export type Conversation = Row<typeof conversations>;
