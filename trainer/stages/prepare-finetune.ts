import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import type { Conversation, Decision } from '../../core/records/index.ts';
import { only, type Inputs } from '../../core/stage/index.ts';
import type { Message } from '../chat/conversations.ts';
import { growTokenizer } from '../chat/grow.ts';
import { packedChats } from '../chat/pack.ts';
import { chatTemplate, marksOf, refusal, templateBeside, templateOf, type RenderedChat } from '../chat/template.ts';
import { readConfig } from '../checkpoint/config.ts';
import { readShaped, refusalDecision, type Refused } from '../data/read.ts';
import { conversationOf } from '../data/shapes.ts';
import { permutation } from '../loader/permutation.ts';
import { TARGETS, type Lora } from '../lora/lora.ts';
import type { FinetuneSection } from '../recipe.ts';
import { openVocabulary } from '../sample/vocabulary.ts';
import { nextToken } from './objective.ts';
import { planOf, stepsOf } from './plan.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its data and its base by path and content. */
export type FinetuneParams = Omit<FinetuneSection, 'name' | 'data' | 'from'> & {
  name: string;
  data: { path: string; sha256: string };
  from: { path: string; sha256: string } | null;
};

/** Answers that are shown on the way where the recipe names no prompts. */
const SHOWN = 4;

/** Makes a training of the section and its inputs; alike on every rank. */
export async function prepareFinetune(lake: string, p: FinetuneParams, inputs: Inputs): Promise<Training> {
  const checkpoint = p.from?.path ?? checkpointOf(lake, inputs);
  const known = readConfig(join(checkpoint, 'config.json'));
  const tokenizer = join(checkpoint, 'tokenizer.json');
  const before = openVocabulary(tokenizer);
  const template = p.template ?? templateBeside(checkpoint, before)?.name ?? templateOf(before) ?? 'chatml';
  const { vocabulary, json, added } = growTokenizer(readText(tokenizer), before, marksOf(template));
  const chat = chatTemplate(vocabulary, template);
  const marks = p.lora?.marks === false ? [...added.values()] : chat.marks;
  const config = {
    ...known,
    vocabulary: Math.max(known.vocabulary, vocabulary.size),
    ...(p.lora && { lora: loraOf(p.lora, marks) }),
  };

  const { conversations, refused } = await readConversations(p.data.path);
  if (conversations.length === 0)
    throw new GarnerError({
      what: `no line is a conversation${refused[0] ? `: ${refused[0].location} is ${refused[0].reason}` : ''}`,
      where: p.data.path,
      hint: 'lines of {"messages": [{"role", "content"}]} or {"prompt", "completion"} are expected',
      fault: 2,
    });
  const sequence = p.sequence ?? config.context;
  const chats = conversations.map((conversation) => ({
    conversation,
    chat: chat.render(conversation.messages as Message[]),
  }));
  const { train, held } = split(chats, p.validation.share, p.seed);
  const packed = (these: readonly Chat[], seed: number | null) =>
    packedChats(
      these.map((c) => c.chat),
      { sequence, padding: vocabulary.endOfText, seed },
    );
  const samples = packed(train, p.seed);
  const validation = packed(held, null);
  const steps = stepsOf(p, { batch: p.batch, sequence, count: samples.count, epochs: 3 });
  const { plan, learner } = planOf('finetune', p, config, { steps, sequence, documents: true });
  const measured = validation.count === 0 ? null : { samples: validation, documentMask: true, bytesOf: null };
  const cuts = chats.flatMap((c) => cutDecision(c, sequence) ?? []);
  const unanswered = cuts.filter((d) => d.verdict === 'drop').length;
  return {
    config,
    plan,
    learner,
    objective: nextToken(samples, measured, plan),
    vocabulary,
    weights: checkpoint,
    checkpoint: p.checkpoint,
    sampling: {
      every: p.sample.every,
      prompts: promptsOf(p, held.length > 0 ? held : train).map((text) => ({
        text,
        ids: chat.prompt([{ role: 'user', content: text }]),
      })),
      tokens: p.sample.tokens,
      temperature: p.sample.temperature,
      topK: p.sample.top_k,
    },
    end: chat.end,
    beside: {
      'tokenizer.json': json,
      'tokenizer_config.json': `${JSON.stringify(tokenizerConfig(chat.endMark, config.context), null, 2)}\n`,
      'chat_template.jinja': `${chat.jinja}\n`,
    },
    found: {
      counts: {
        conversations: conversations.length,
        held_out: held.length,
        refused: refused.length,
        cut: cuts.length,
        unanswered,
        new_tokens: added.size,
      },
      notices: noticesOf(p, {
        refused,
        all: conversations.length + refused.length,
        cut: cuts.length,
        unanswered,
        sequence,
        added,
      }),
      decisions: [...refused.map((r) => refusalDecision('finetune', r)), ...cuts],
    },
  };
}

interface Chat {
  conversation: Conversation;
  chat: RenderedChat;
}

/** The last checkpoint of the pretraining, absolute. */
function checkpointOf(lake: string, inputs: Inputs): string {
  const checkpoint = only(inputs, 'pretrain')?.facts['checkpoint'];
  if (typeof checkpoint !== 'string')
    throw new GarnerError({
      what: 'there is no pretrained model to fine-tune',
      hint: 'give the recipe a section "pretrain", or finetune.from the folder of a model',
      fault: 2,
    });
  return join(lake, checkpoint);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw explainSystemError(error, path);
  }
}

const loraOf = ({ rank, alpha, targets }: NonNullable<FinetuneSection['lora']>, rows: readonly number[]): Lora => ({
  rank,
  alpha: alpha ?? 2 * rank,
  targets: TARGETS.filter((t) => targets === 'all-linear' || targets.includes(t)),
  rows,
});

/** Without it Transformers would take the tokenizer for Llama's own, which begins every text with a token. */
const tokenizerConfig = (end: string, context: number) => ({
  clean_up_tokenization_spaces: false,
  eos_token: end,
  model_max_length: context,
  tokenizer_class: 'PreTrainedTokenizerFast',
});

/** What a file holds that a template can express and that has an answer to learn at every turn of the assistant. */
async function readConversations(path: string): Promise<{ conversations: Conversation[]; refused: Refused[] }> {
  const conversations: Conversation[] = [];
  const refused: Refused[] = [];
  for await (const found of readShaped(path, conversationOf)) {
    const reason = 'record' in found ? unfit(found.record) : found.refused.reason;
    if (reason === null) conversations.push((found as { record: Conversation }).record);
    else refused.push({ location: 'record' in found ? found.record.location : found.refused.location, reason });
  }
  return { conversations, refused };
}

/** Why a conversation cannot be learned, as a decision's reason. */
function unfit({ messages, tools }: Conversation): string | null {
  if (tools !== null) return 'template_has_no_tools';
  const empty = messages.some((m) => m.role === 'assistant' && m.content.trim() === '');
  return refusal(messages) ?? (empty ? 'empty_answer' : null);
}

/** A conversation that is longer than a row: cut, or left out where its answers lie behind the cut. */
function cutDecision({ conversation, chat }: Chat, sequence: number): Decision | null {
  const length = chat.ids.length;
  if (length <= sequence + 1) return null;
  return {
    subject_id: conversation.id,
    stage: 'finetune',
    rule: 'longer_than_row',
    filter: null,
    signal: null,
    value: length,
    label: null,
    threshold: String(sequence + 1),
    verdict: chat.learned.slice(1, sequence + 1).includes(true) ? 'edit' : 'drop',
    evidence: conversation.location,
  };
}

/** Holds a seeded share of the conversations out. */
function split<T>(all: readonly T[], share: number, seed: number): Record<'train' | 'held', T[]> {
  const count = Math.round(all.length * share);
  if (count === 0) return { train: [...all], held: [] };
  const order = permutation(all.length, seed, 0);
  const out = new Set(Array.from({ length: count }, (_, i) => order(i)));
  return { train: all.filter((_, i) => !out.has(i)), held: all.filter((_, i) => out.has(i)) };
}

/** The recipe's prompts, else the first questions of conversations. */
const promptsOf = (p: FinetuneParams, chats: readonly Chat[]): string[] =>
  p.sample.prompts.length > 0
    ? p.sample.prompts
    : chats
        .slice(0, SHOWN)
        .flatMap(({ conversation }) => conversation.messages.filter((m) => m.role === 'user').slice(0, 1))
        .map((m) => m.content);

interface Found {
  refused: readonly Refused[];
  all: number;
  cut: number;
  unanswered: number;
  sequence: number;
  added: ReadonlyMap<string, number>;
}

function noticesOf(p: FinetuneParams, { refused, all, cut, unanswered, sequence, added }: Found): string[] {
  const lines: string[] = [];
  const first = refused[0];
  if (first) {
    const reasons = new Map<string, number>();
    for (const { reason } of refused) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const named = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ');
    lines.push(
      `${p.data.path}: ${refused.length} of ${all} records are left out (${named}), the first is ${first.location}`,
    );
  }
  if (cut > 0)
    lines.push(
      `${cut} conversations are longer than ${sequence} tokens: ${cut - unanswered} are cut, ${unanswered} left out, since no answer comes before the cut`,
    );
  if (added.size > 0) lines.push(`the tokenizer gets ${added.size} new tokens: ${[...added.keys()].join(' ')}`);
  return lines;
}
