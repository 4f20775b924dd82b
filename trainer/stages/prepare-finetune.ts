import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { only, type Inputs } from '../../core/stage/index.ts';
import { readConversations, type Conversation, type RefusedLine } from '../chat/conversations.ts';
import { packedChats, type PackedChats } from '../chat/pack.ts';
import { chatTemplate } from '../chat/template.ts';
import { readConfig } from '../checkpoint/config.ts';
import { permutation } from '../loader/permutation.ts';
import type { FinetuneSection } from '../recipe.ts';
import { openVocabulary } from '../sample/vocabulary.ts';
import { nextToken } from './objective.ts';
import { planOf, stepsOf } from './plan.ts';
import type { Training } from './training.ts';

/** The section with the run's name filled in, and its data by path and content. */
export type FinetuneParams = Omit<FinetuneSection, 'name' | 'data'> & {
  name: string;
  data: { path: string; sha256: string };
};

/** Answers that are shown on the way where the recipe names no prompts. */
const SHOWN = 4;

/** Makes a training of the section and its inputs; alike on every rank. */
export async function prepareFinetune(lake: string, p: FinetuneParams, inputs: Inputs): Promise<Training> {
  const checkpoint = checkpointOf(lake, inputs);
  const config = readConfig(join(checkpoint, 'config.json'));
  const tokenizer = join(checkpoint, 'tokenizer.json');
  const vocabulary = openVocabulary(tokenizer);
  const chat = chatTemplate(vocabulary);
  const { conversations, refused } = await readConversations(p.data.path);
  if (conversations.length === 0)
    throw new GarnerError({
      what: `no line is a conversation${refused[0] ? `: line ${refused[0].line} is ${refused[0].reason}` : ''}`,
      where: p.data.path,
      hint: 'lines of {"messages": [{"role", "content"}]} or {"prompt", "completion"} are expected',
      fault: 2,
    });
  const { train, held } = split(conversations, p.validation.share, p.seed);
  const sequence = p.sequence ?? config.context;
  const packed = (these: readonly Conversation[], seed: number | null) =>
    packedChats(
      these.map((c) => chat.render(c.messages)),
      { sequence, padding: vocabulary.endOfText, seed },
    );
  const samples = packed(train, p.seed);
  const validation = packed(held, null);
  const steps = stepsOf(p, { batch: p.batch, sequence, count: samples.count, epochs: 3 });
  const planned = planOf('finetune', p, config, { steps, sequence, documents: true });
  const measured = validation.count === 0 ? null : { samples: validation, documentMask: true, bytesOf: null };
  return {
    config,
    ...planned,
    objective: nextToken(samples, measured, planned.plan),
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
    beside: { 'tokenizer.json': readFileSync(tokenizer, 'utf8'), 'chat_template.jinja': `${chat.jinja}\n` },
    found: {
      counts: {
        conversations: conversations.length,
        held_out: held.length,
        refused: refused.length,
        cut: samples.cut + validation.cut,
        unanswered: samples.unanswered + validation.unanswered,
      },
      notices: noticesOf(p, refused, samples, sequence),
    },
  };
}

/** The last checkpoint of the pretraining, absolute. */
function checkpointOf(lake: string, inputs: Inputs): string {
  const checkpoint = only(inputs, 'pretrain')?.facts['checkpoint'];
  if (typeof checkpoint !== 'string')
    throw new GarnerError({
      what: 'there is no pretrained model to fine-tune',
      hint: 'give the recipe a section "pretrain"',
      fault: 2,
    });
  return join(lake, checkpoint);
}

/** Holds a seeded share of the conversations out. */
function split(all: readonly Conversation[], share: number, seed: number): Record<'train' | 'held', Conversation[]> {
  const count = Math.round(all.length * share);
  if (count === 0) return { train: [...all], held: [] };
  const order = permutation(all.length, seed, 0);
  const out = new Set(Array.from({ length: count }, (_, i) => order(i)));
  return { train: all.filter((_, i) => !out.has(i)), held: all.filter((_, i) => out.has(i)) };
}

/** The recipe's prompts, else the first questions of conversations. */
const promptsOf = (p: FinetuneParams, conversations: readonly Conversation[]): string[] =>
  p.sample.prompts.length > 0
    ? p.sample.prompts
    : conversations
        .slice(0, SHOWN)
        .flatMap((c) => c.messages.filter((m) => m.role === 'user').slice(0, 1))
        .map((m) => m.content);

function noticesOf(
  p: FinetuneParams,
  refused: readonly RefusedLine[],
  samples: PackedChats,
  sequence: number,
): string[] {
  const lines: string[] = [];
  const first = refused[0];
  if (first)
    lines.push(
      `${p.data.path}: ${refused.length} lines are no conversations and are left out, the first is line ${first.line} (${first.reason})`,
    );
  if (samples.cut > 0)
    lines.push(
      `${samples.cut} conversations are longer than ${sequence} tokens and are cut, ${samples.unanswered} of them before their answer and left out`,
    );
  return lines;
}
