import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { asset } from '../../core/root.ts';
import { chatFile, makeChat } from '../../examples/make-chat.ts';
import { readConversations } from '../../trainer/chat/conversations.ts';

test('the shipped conversations are those that the script makes', () => {
  expect(readFileSync(asset('examples/quickstart-chat.jsonl'), 'utf8')).toBe(chatFile());
});

test('all are conversations, half of them Chinese, none twice', async () => {
  const { conversations, refused } = await readConversations(asset('examples/quickstart-chat.jsonl'));
  expect(refused).toEqual([]);
  expect(conversations.length).toBeGreaterThan(250);
  const chinese = conversations.filter((c) => /\p{Script=Han}/u.test(c.messages.at(-1)!.content)).length;
  expect(Math.abs(chinese / conversations.length - 0.5)).toBeLessThan(0.02);
  expect(new Set(conversations.map((c) => JSON.stringify(c))).size).toBe(conversations.length);
});

test('sums are right, and articles are named in Chinese numbers', () => {
  const all = makeChat(2);
  const answers = all.map((c) => c.at(-1)!.content);
  for (const [, a, b, sum] of answers.flatMap((t) => [...t.matchAll(/(\d+) (?:\+|加) (\d+) (?:=|等于) (\d+)/g)]))
    expect([a, b, Number(sum)]).toEqual([a, b, Number(a) + Number(b)]);
  const questions = all.map((c) => c[0]!.content);
  for (const n of ['五', '十二', '二十', '二十三']) expect(questions).toContain(`宣言第${n}条说什么？`);
  expect(JSON.stringify(makeChat(1))).not.toBe(JSON.stringify(all));
});
