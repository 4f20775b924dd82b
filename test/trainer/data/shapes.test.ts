import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { preferences } from '../../../core/records/index.ts';
import { writeTable } from '../../../core/lake/parquet.ts';
import { readAllShaped, refusalDecision } from '../../../trainer/data/read.ts';
import { conversationOf, isRefusal, preferenceOf, promptOf, unpairedOf } from '../../../trainer/data/shapes.ts';
import { sharedData } from '../../shared.ts';

const place = { source: 'made', location: 'made.jsonl:1' };
const user = (content: string) => ({ role: 'user', content });
const answer = (content: string) => ({ role: 'assistant', content });

describe('pairs', () => {
  const sky = { prompt: [user('What colour is the sky?')], chosen: 'Blue.', rejected: 'Green.' };
  test.each([
    { why: 'plain, explicit prompt', line: { prompt: 'What colour is the sky?', chosen: 'Blue.', rejected: 'Green.' } },
    {
      why: 'conversational, explicit prompt',
      line: { prompt: sky.prompt, chosen: [answer('Blue.')], rejected: [answer('Green.')] },
    },
    {
      why: 'conversational, implicit prompt',
      line: { chosen: [...sky.prompt, answer('Blue.')], rejected: [...sky.prompt, answer('Green.')] },
    },
    {
      why: 'the prompt beside the lists too',
      line: {
        prompt: 'What colour is the sky?',
        chosen: [...sky.prompt, answer('Blue.')],
        rejected: [...sky.prompt, answer('Green.')],
      },
    },
    {
      why: 'a transcript',
      line: {
        chosen: '\n\nHuman: What colour is the sky?\n\nAssistant: Blue.',
        rejected: '\n\nHuman: What colour is the sky?\n\nAssistant: Green.',
      },
    },
    { why: 'our own', line: { id: 'x', ...sky } },
  ])('$why', ({ line }) => {
    expect(preferenceOf(line, place)).toMatchObject(sky);
  });

  test.each([
    ['The sky is blue.', 'The sky is green.', 'The sky is', ' blue.', ' green.'],
    ['The sky is green.', 'The sky is grey.', 'The sky is', ' green.', ' grey.'],
    ['天空是蓝色的', '天空是绿色的', '天空是', '蓝色的', '绿色的'],
    ['Say it: yes', 'Say it: yes, indeed', 'Say it: yes', '', ', indeed'],
  ])('an implicit prompt ends between words: %s | %s', (chosen, rejected, prompt, a, b) => {
    const found = preferenceOf({ chosen, rejected }, place);
    if (a === '') expect(found).toEqual({ reason: 'empty_answer' });
    else expect(found).toMatchObject({ prompt: [user(prompt)], chosen: a, rejected: b });
  });

  test.each([
    [{ prompt: 'q', chosen: 'a' }, 'half_a_pair'],
    [{ prompt: 'q', rejected: 'a', chosen: null }, 'half_a_pair'],
    [{ prompt: 'q' }, 'no_pair'],
    [null, 'no_pair'],
    [{ prompt: 'q', chosen: 'a', rejected: 'a' }, 'same_answer'],
    [{ prompt: 'q', chosen: ' \n', rejected: 'a' }, 'empty_answer'],
    [{ prompt: '', chosen: 'b', rejected: 'a' }, 'no_prompt'],
    [{ chosen: 'b', rejected: 'a' }, 'no_prompt'],
    [{ prompt: [user('q'), answer('half')], chosen: 'b', rejected: 'a' }, 'prompt_ends_with_answer'],
    [{ prompt: [{ role: 'robot', content: 'q' }], chosen: 'b', rejected: 'a' }, 'unknown_role'],
    [{ prompt: [{ role: 'user' }], chosen: 'b', rejected: 'a' }, 'no_content'],
    [{ chosen: [user('q'), answer('b')], rejected: [user('other'), answer('a')] }, 'different_prompts'],
    [
      {
        chosen: [user('q'), answer('b'), user('more'), answer('c')],
        rejected: [user('q'), answer('a'), user('more'), answer('c')],
      },
      'several_turns',
    ],
    [{ prompt: 'q', chosen: 7, rejected: 'a' }, 'unknown_role'],
  ])('%j is refused: %s', (line, reason) => {
    expect(preferenceOf(line, place)).toEqual({ reason });
  });

  test('an id is the record’s own, else the same for the same content', () => {
    const line = { prompt: 'q', chosen: 'b', rejected: 'a' };
    const ids = [line, { ...line }, { ...line, chosen: 'c' }, { ...line, id: 7 }].map((l) => {
      const found = preferenceOf(l, place);
      return isRefusal(found) ? found.reason : found.id;
    });
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
    expect(ids[3]).toBe('7');
  });
});

test.each([
  [{ messages: [user('q'), answer('a')] }, [user('q'), answer('a')]],
  [{ prompt: 'q', completion: 'a' }, [user('q'), answer('a')]],
  [{ prompt: [user('q')], completion: [answer('a')] }, [user('q'), answer('a')]],
  [{ messages: [user('q'), { role: 'assistant', content: [{ type: 'text', text: 'a' }] }] }, [user('q'), answer('a')]],
])('a conversation: %j', (line, messages) => {
  expect(conversationOf(line, place)).toMatchObject({ messages, tools: null, location: 'made.jsonl:1' });
});

test.each([
  [{ messages: [] }, 'no_messages'],
  [{ text: 'x' }, 'no_messages'],
  [{ prompt: 'q' }, 'no_answer'],
  [{ prompt: 'q', completion: '' }, 'no_answer'],
  [{ messages: [user('q')] }, 'no_answer'],
  [{ messages: [{ role: 'user', content: null }] }, 'no_content'],
  [{ messages: Array.from({ length: 1001 }, () => user('q')) }, 'too_many_messages'],
])('no conversation: %#', (line, reason) => {
  expect(conversationOf(line, place)).toEqual({ reason });
});

test('a call of a tool is a turn of its own, whichever way it is written', () => {
  const calls = [{ function: { name: 'add', arguments: '{}' } }];
  const found = conversationOf(
    { messages: [user('q'), { role: 'assistant', content: null, tool_calls: calls }, answer('4')], tools: [{ a: 1 }] },
    place,
  );
  expect(found).toMatchObject({
    messages: [user('q'), { role: 'tool_call', content: JSON.stringify(calls) }, answer('4')],
    tools: '[{"a":1}]',
  });
});

test('unpaired answers have a label', () => {
  const good = { prompt: [user('q')], answer: 'a', good: true };
  expect(unpairedOf({ prompt: 'q', completion: 'a', label: true }, place)).toMatchObject(good);
  expect(unpairedOf({ prompt: [user('q')], completion: [answer('a')], label: 1 }, place)).toMatchObject(good);
  expect(unpairedOf({ prompt: [user('q')], answer: 'a', good: false }, place)).toMatchObject({ ...good, good: false });
  expect(unpairedOf({ prompt: 'q', completion: 'a' }, place)).toEqual({ reason: 'no_label' });
  expect(unpairedOf({ prompt: 'q', completion: '', label: true }, place)).toEqual({ reason: 'empty_answer' });
});

test('a prompt is what comes before the last answer', () => {
  expect(promptOf('why?', place)).toMatchObject({ prompt: [user('why?')] });
  expect(promptOf({ messages: [user('a'), answer('b'), user('c'), answer('d')] }, place)).toMatchObject({
    prompt: [user('a'), answer('b'), user('c')],
  });
  expect(promptOf({ text: 'x' }, place)).toEqual({ reason: 'no_prompt' });
});

test('files: JSON lines, gzip and Parquet give the same records; bad lines have a place and a reason', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'garner-shapes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const lines = `${JSON.stringify({ id: 'a', prompt: 'q', chosen: 'b', rejected: 'a' })}\n\n{"half\n${JSON.stringify({ prompt: 'q', chosen: 'b' })}\n`;
  writeFileSync(join(folder, 'pairs.jsonl'), lines);
  writeFileSync(join(folder, 'pairs.jsonl.gz'), gzipSync(lines));
  const plain = await readAllShaped(join(folder, 'pairs.jsonl'), preferenceOf);
  expect(plain.refused).toEqual([
    { location: 'pairs.jsonl:3', reason: 'not_json' },
    { location: 'pairs.jsonl:4', reason: 'half_a_pair' },
  ]);
  const packed = await readAllShaped(join(folder, 'pairs.jsonl.gz'), preferenceOf);
  expect(packed.records).toEqual(plain.records);
  const writer = await writeTable(join(folder, 'pairs.parquet'), preferences);
  for (const record of plain.records) writer.append(record);
  await writer.close();
  const parquet = await readAllShaped(join(folder, 'pairs.parquet'), preferenceOf);
  expect(parquet).toEqual({ records: plain.records, refused: [] });
  expect(refusalDecision('dpo', plain.refused[1]!)).toMatchObject({
    rule: 'half_a_pair',
    verdict: 'refuse',
    evidence: 'pairs.jsonl:4',
  });
  writeFileSync(join(folder, 'no.parquet'), 'no');
  await expect(readAllShaped(join(folder, 'no.parquet'), preferenceOf)).rejects.toThrow(/no.parquet/);
});

const shared = sharedData('preference/harmless-english.jsonl.gz');
test.skipIf(!shared)('other people’s data reads without a loss', async () => {
  const counts: Record<string, number[]> = {};
  for (const name of ['harmless-english', 'correctness-english', 'helpful-english', 'helpful-chinese']) {
    const { records, refused } = await readAllShaped(sharedData(`preference/${name}.jsonl.gz`)!, preferenceOf);
    counts[name] = [records.length, refused.length];
  }
  const { records, refused } = await readAllShaped(sharedData('preference/unpaired-english.jsonl.gz')!, unpairedOf);
  expect({ ...counts, unpaired: [records.length, refused.length] }).toMatchObject({
    'harmless-english': [1000, 0],
    'correctness-english': [300, 0],
    unpaired: [283, 0],
  });
  const tools = await readAllShaped(sharedData('instruct/tool-calls-english.jsonl.gz')!, conversationOf);
  expect([tools.records.length, tools.refused.length]).toEqual([200, 0]);
});
