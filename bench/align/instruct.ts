import { asset } from '../../core/root.ts';
import type { Conversation } from '../../core/records/index.ts';
import { writeTokenizerJson } from '../../tokenizer/encode/index.ts';
import { trainTokenizer } from '../../tokenizer/train/index.ts';
import type { Message } from '../../trainer/chat/conversations.ts';
import { chatTemplate, refusal, type ChatTemplate, type RenderedChat } from '../../trainer/chat/template.ts';
import { readAllShaped } from '../../trainer/data/read.ts';
import { conversationOf } from '../../trainer/data/shapes.ts';
import { permutation } from '../../trainer/loader/permutation.ts';
import { openVocabulary, type Vocabulary } from '../../trainer/sample/vocabulary.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonLines, sharedFile, textOf } from '../data.ts';

/** Conversations by source, of ../shared/data/instruct; `made` ships with garner. */
const SOURCES: Record<string, string> = {
  gsm8k: 'instruct/gsm8k-train.jsonl.gz',
  'alpaca english': 'instruct/alpaca-english.jsonl.gz',
  'alpaca chinese': 'instruct/alpaca-chinese.jsonl.gz',
  'self-instruct seed': 'instruct/self-instruct-seed.jsonl.gz',
  'self-instruct user': 'instruct/self-instruct-user.jsonl.gz',
  belle: 'instruct/belle-seed-chinese.jsonl.gz',
  tools: 'instruct/tool-calls-english.jsonl.gz',
};

/** Plain text: a paragraph a line, or JSON lines with a text. */
const TEXTS = [
  'english-c4.jsonl.gz',
  ...['wikipedia', 'factbook', 'addresses'].map((n) => `english-${n}.txt.gz`),
].concat(['classics', 'novels', 'modern'].map((n) => `chinese-${n}.txt.gz`));

const SPLIT_SEED = 7;
const SHARE = 0.05;

/** A question whose answer is known. */
export interface Question {
  source: string;
  /** Ids up to the head of the answer. */
  ids: number[];
  /** Tokens of the known answer. */
  reference: number;
}

export interface Instruct {
  folder: string;
  vocabulary: Vocabulary;
  chat: ChatTemplate;
  /** Texts in a shuffled order, each with the end of a text behind it. */
  plain: Int32Array;
  train: RenderedChat[];
  /** By source, never trained on: rates are chosen on the first, figures are of the second. */
  validation: Map<string, RenderedChat[]>;
  test: Map<string, RenderedChat[]>;
  questions: Question[];
  /** Conversations that the template cannot express. */
  refused: number;
}

/**
 * Everything that fine-tuning is measured on: a tokenizer of the plain texts and the answers, both as ids. Null where the shared
 * data is absent.
 */
export async function instructData(folder: string, size: number): Promise<Instruct | null> {
  const paths = Object.entries(SOURCES).map(([source, path]) => ({ source, path: sharedFile(path) }));
  const texts = TEXTS.map((name) => sharedFile(`text/${name}`));
  if ([...paths.map((p) => p.path), ...texts].includes(null)) return null;
  const files = [...(paths as { source: string; path: string }[])];
  files.push({ source: 'made', path: asset('examples/quickstart-chat.jsonl') });

  const plain = texts.flatMap((path) => paragraphs(path!));
  const found = { train: [] as Conversation[], refused: 0 };
  const held = { validation: new Map<string, Conversation[]>(), test: new Map<string, Conversation[]>() };
  for (const { source, path } of files) {
    const { records, refused } = await readAllShaped(path, conversationOf);
    const fit = records.filter((c) => c.tools === null && refusal(c.messages) === null);
    found.refused += refused.length + records.length - fit.length;
    if (fit.length === 0) continue;
    const order = permutation(fit.length, SPLIT_SEED, 0);
    const shuffled = fit.map((_, i) => fit[order(i)]!);
    const count = Math.ceil(fit.length * SHARE);
    held.test.set(source, shuffled.slice(0, count));
    held.validation.set(source, shuffled.slice(count, 2 * count));
    found.train.push(...shuffled.slice(2 * count));
  }

  mkdirSync(folder, { recursive: true });
  const trained = await trainTokenizer(
    (function* () {
      for (const text of plain) yield Buffer.from(text);
      for (const { messages } of found.train) for (const { content } of messages) yield Buffer.from(content);
    })(),
    { split: 'cl100k', vocabulary: size },
  );
  const tokenizer = join(folder, 'tokenizer.json');
  writeFileSync(tokenizer, writeTokenizerJson(trained.vocabulary));
  const vocabulary = openVocabulary(tokenizer);
  const chat = chatTemplate(vocabulary);
  const render = (c: Conversation) => chat.render(c.messages as Message[]);
  const rendered = (by: Map<string, Conversation[]>) =>
    new Map([...by].map(([source, all]) => [source, all.map(render)]));
  const order = permutation(plain.length, SPLIT_SEED, 1);
  return {
    folder,
    vocabulary,
    chat,
    plain: Int32Array.from(plain.flatMap((_, i) => [...vocabulary.encode(plain[order(i)]!), vocabulary.endOfText])),
    train: found.train.map(render),
    validation: rendered(held.validation),
    test: rendered(held.test),
    questions: ['gsm8k', 'made'].flatMap((source) =>
      held.test.get(source)!.map((c) => questionOf(source, c.messages as Message[], chat, vocabulary)),
    ),
    refused: found.refused,
  };
}

function questionOf(source: string, messages: Message[], chat: ChatTemplate, vocabulary: Vocabulary): Question {
  const answer = messages.findIndex((m) => m.role === 'assistant');
  return {
    source,
    ids: chat.prompt(messages.slice(0, answer)),
    reference: vocabulary.encode(messages[answer]!.content).length,
  };
}

/** Paragraphs of about a row each: short ones are joined, so that a text is more than a heading. */
function paragraphs(path: string): string[] {
  if (path.includes('.jsonl')) return jsonLines<{ text: string }>(path).map(({ text }) => text);
  const all: string[] = [];
  let text = '';
  for (const line of textOf(path).split('\n')) {
    for (let at = 0; at <= line.length; at += 4000) text += `${line.slice(at, at + 4000)}\n`;
    if (text.length < 1000) continue;
    all.push(text.trim());
    text = '';
  }
  return text.trim() === '' ? all : [...all, text.trim()];
}
