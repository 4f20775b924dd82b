import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from 'tokenizers';
import { afterAll, expect, test } from 'vitest';
import { writeTokenizerJson, type SplitName } from '../../../tokenizer/encode/index.ts';
import { trainTokenizer } from '../../../tokenizer/train/index.ts';
import { parseConversation, type Message } from '../../../trainer/chat/conversations.ts';
import { chatTemplate, refusal, templateBeside, type TemplateName } from '../../../trainer/chat/template.ts';
import { openVocabulary } from '../../../trainer/sample/vocabulary.ts';
import { sentences } from '../toy-lake.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-template-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LLAMA3 = ['<|begin_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];

/** A tokenizer.json with the marks of both templates. */
async function tokenizer(split: SplitName): Promise<string> {
  const texts = [...sentences(200, 1), 'user\nassistant\nsystem\n\n  spaces\t\n \n'.repeat(20)];
  const trained = await trainTokenizer(
    (async function* () {
      for (const text of texts) yield Buffer.from(text);
    })(),
    { split, vocabulary: 400 },
  );
  const { specialTokens } = trained.vocabulary;
  const next = Math.max(...Object.values(specialTokens)) + 1;
  const more = Object.fromEntries(LLAMA3.map((mark, i) => [mark, next + i]));
  const path = join(folder, `${split}.json`);
  writeFileSync(path, writeTokenizerJson({ ...trained.vocabulary, specialTokens: { ...specialTokens, ...more } }));
  return path;
}

const SPLITS: SplitName[] = ['gpt2', 'cl100k', 'o200k'];
const paths = new Map(await Promise.all(SPLITS.map(async (s) => [s, await tokenizer(s)] as const)));

const said = [
  'The whale saw the harbour.',
  '',
  '  two blanks before, two after  ',
  '\n\nlines before\n\n',
  '\t\n \ntabs\r\n',
  "'s and 12345 + 67 = ?",
  '我们喜欢大海。\u3000',
  '\u0085\u001c odd blanks \u001f',
  'mark of\uFEFF order',
  '人'.repeat(40),
];
const talks: Message[][] = [
  ...said.map((content): Message[] => [{ role: 'user', content }]),
  ...said.map((content): Message[] => [
    { role: 'system', content },
    { role: 'user', content: 'What?' },
    { role: 'assistant', content },
    { role: 'user', content },
    { role: 'assistant', content: `${content}x` },
  ]),
];

for (const name of ['chatml', 'llama3'] as TemplateName[])
  test.each(SPLITS)(`${name} under %s: chat_template.jinja gives Transformers the same ids`, async (split) => {
    const vocabulary = openVocabulary(paths.get(split)!);
    const chat = chatTemplate(vocabulary, name);
    const jinja = new Template(chat.jinja);
    const theirs = Tokenizer.fromFile(paths.get(split)!);
    const idsOf = async (messages: Message[], add_generation_prompt: boolean) => {
      // What Jinja's trim is in Python, this package's is JavaScript's: answers reach it stripped, as Python would.
      const text = jinja.render({
        messages: messages.map((m) => (m.role === 'assistant' ? { ...m, content: pythonStrip(m.content) } : m)),
        add_generation_prompt,
      });
      return [...(await theirs.encode(text, null, { addSpecialTokens: false })).getIds()];
    };
    // GPT-2's split makes two tokens of two newlines before text, and one before nothing: the head of an answer differs.
    const differs = name === 'llama3' && split === 'gpt2';
    let prompts = 0;
    for (const messages of talks) {
      if (!(differs && messages.some((m) => m.role === 'assistant')))
        expect(chat.render(messages).ids, JSON.stringify(messages)).toEqual(await idsOf(messages, false));
      if (messages.length === 1) {
        prompts++;
        expect(chat.prompt(messages)).toEqual(await idsOf(messages, true));
      }
    }
    expect(prompts).toBe(said.length);
  });

/** str.strip() of Python, by its own list of blanks. */
const pythonStrip = (text: string) => text.replace(/^[\s\u001c-\u001f\u0085]+|[\s\u001c-\u001f\u0085]+$/g, '');

test('each conversation is a prefix of a longer one, and a prompt leads to the answer', () => {
  for (const split of SPLITS)
    for (const name of ['chatml', 'llama3'] as TemplateName[]) {
      const chat = chatTemplate(openVocabulary(paths.get(split)!), name);
      for (const messages of talks) {
        const whole = chat.render(messages).ids;
        messages.forEach((m, k) => {
          const before = messages.slice(0, k);
          const ids = m.role === 'assistant' ? chat.prompt(before) : chat.render(before).ids;
          expect(whole.slice(0, ids.length)).toEqual(ids);
        });
      }
    }
});

test('Llama 3: the published form, answers and their ends learned', () => {
  const vocabulary = openVocabulary(paths.get('cl100k')!);
  const chat = chatTemplate(vocabulary, 'llama3');
  const { ids, learned } = chat.render([
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Hi <|eot_id|>' },
    { role: 'assistant', content: 'Hello.' },
  ]);
  const names = new Map(LLAMA3.map((mark) => [vocabulary.special(mark)!, mark]));
  const show = (some: number[]) =>
    some.map((id) => names.get(id) ?? Buffer.from(vocabulary.bytes(id)).toString()).join('');
  expect(show(ids)).toBe(
    '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>' +
      '<|start_header_id|>user<|end_header_id|>\n\nHi <|eot_id|><|eot_id|>' +
      '<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>',
  );
  expect(show(ids.filter((_, i) => learned[i]))).toBe('Hello.<|eot_id|>');
  // what the user wrote is text
  expect(ids.filter((id) => id === chat.end)).toHaveLength(3);
});

test('the template of a folder is found by its marks', () => {
  const vocabulary = openVocabulary(paths.get('cl100k')!);
  expect(templateBeside(folder, vocabulary)).toBe(null);
  for (const name of ['chatml', 'llama3'] as TemplateName[]) {
    writeFileSync(join(folder, 'chat_template.jinja'), chatTemplate(vocabulary, name).jinja);
    expect(templateBeside(folder, vocabulary)!.name).toBe(name);
    expect(() => templateBeside(folder, { ...vocabulary, special: () => null })).toThrow(/no special tokens/);
  }
  writeFileSync(join(folder, 'chat_template.jinja'), '[INST] {{ messages }}');
  expect(templateBeside(folder, vocabulary)).toBe(null);
  expect(chatTemplate(vocabulary).name).toBe('chatml');
  const only = (mark: string) => (LLAMA3.includes(mark) ? vocabulary.special(mark) : null);
  expect(chatTemplate({ ...vocabulary, special: only }).name).toBe('llama3');
});

test.each([
  [[{ role: 'user', content: 'a' }], null],
  [[{ role: 'tool', content: '4' }], 'template_has_no_tools'],
  [[{ role: 'tool_call', content: '{}' }], 'template_has_no_tools'],
  [[{ role: 'narrator', content: '' }], 'unknown_role'],
  [[{ role: 'user', content: [1] }], 'no_content'],
  [[], 'no_messages'],
] as const)('what no template can express has a reason: %j', (turns, reason) => {
  expect(refusal(turns)).toBe(reason);
});

test('a line with calls of tools is refused by its reason', () => {
  const line = (message: object) => JSON.stringify({ messages: [{ role: 'user', content: 'a' }, message] });
  expect(parseConversation(line({ role: 'assistant', content: null, tool_calls: [{}] }))).toBe('template_has_no_tools');
  expect(parseConversation(line({ role: 'tool', content: 'x' }))).toBe('template_has_no_tools');
  expect(parseConversation(line({ role: 'assistant', content: 'b', tool_calls: [] }))).toMatchObject({
    messages: [{}, {}],
  });
});
