import { expect, test } from 'vitest';
import type { Message } from '../../../trainer/chat/conversations.ts';
import { fitConversation } from '../../../trainer/chat/fit.ts';
import { chatTemplate } from '../../../trainer/chat/template.ts';
import type { Vocabulary } from '../../../trainer/sample/vocabulary.ts';

const bytes: Vocabulary = {
  size: 259,
  endOfText: 256,
  specials: [256, 257, 258],
  special: (name) => ({ '<|im_start|>': 257, '<|im_end|>': 258 })[name] ?? null,
  encode: (text) => [...new TextEncoder().encode(text)],
  bytes: (id) => (id < 256 ? Uint8Array.of(id) : new Uint8Array()),
};
const chat = chatTemplate(bytes);
const system: Message = { role: 'system', content: 'Be kind.' };
const turns: Message[] = ['a', 'b', 'c', 'd', 'e'].map((content, i) => ({
  role: i % 2 === 0 ? 'user' : 'assistant',
  content,
}));
const size = (...messages: Message[]) => chat.prompt(messages).length;

test.each([
  ['all of it', [system, ...turns], Infinity, 0],
  ['exactly all of it', [system, ...turns], size(system, ...turns), 0],
  ['one token short: a question and its answer go', [system, ...turns], size(system, ...turns) - 1, 2],
  ['the last question alone, and what is told first', [system, ...turns], size(system, turns[4]!), 4],
  ['without a system message', turns, size(...turns.slice(2)), 2],
] as const)('%s', (_name, messages, room, dropped) => {
  const fitted = fitConversation(chat, messages, room)!;
  expect(fitted.dropped).toBe(dropped);
  expect(fitted.messages).toEqual([...messages.filter((m) => m.role === 'system'), ...turns.slice(dropped)]);
  expect(fitted.prompt).toEqual(chat.prompt(fitted.messages));
});

test('a last question that is too long is refused', () => {
  expect(fitConversation(chat, [system, ...turns], size(system, turns[4]!) - 1)).toBe(null);
  expect(fitConversation(chat, [], 100)).toBe(null);
});
