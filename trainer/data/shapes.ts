import { documentId, stableJson } from '../../core/hash.ts';
import type { Conversation, Preference, Turn, Unpaired } from '../../core/records/index.ts';

/** A record, or why the line is none. */
export type Shaped<T> = T | { reason: string };

/** Where a record was found: stands in it where it names no source or id of its own. */
export interface Place {
  source: string;
  /** File and record. */
  location: string;
}

export const isRefusal = (value: object): value is { reason: string } =>
  Object.keys(value).length === 1 && 'reason' in value;

const ROLES = new Set(['system', 'user', 'assistant', 'tool_call', 'tool']);
const MOST_TURNS = 1000;
const refuse = (reason: string) => ({ reason });
const isBlank = (text: string) => text.trim() === '';

type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields => Object(value) as Fields;

/**
 * A conversation: {messages} or {prompt, completion}, each part plain or a list of turns, as TRL's data sets have them
 * (huggingface.co/docs/trl/dataset_formats). Reasons: no_messages, too_many_messages, unknown_role, no_content, no_answer.
 */
export function conversationOf(value: unknown, place: Place): Shaped<Conversation> {
  const fields = fieldsOf(value);
  const { messages, prompt, completion, tools } = fields;
  const turns =
    messages !== undefined ? turnsOf(messages) : joined(promptTurns(prompt), answerTurns(completion), 'no_messages');
  if (!Array.isArray(turns)) return turns;
  if (!turns.some((t) => t.role === 'assistant' && !isBlank(t.content))) return refuse('no_answer');
  return {
    ...named(fields, place, turns),
    messages: turns,
    tools: tools === undefined || tools === null ? null : typeof tools === 'string' ? tools : JSON.stringify(tools),
    location: place.location,
  };
}

/**
 * A pair: {chosen, rejected} with {prompt} or with the prompt as their common beginning, plain or lists of turns. Reasons:
 * no_pair, half_a_pair, no_prompt, different_prompts, prompt_ends_with_answer, several_turns, empty_answer, same_answer, and those of turns.
 */
export function preferenceOf(value: unknown, place: Place): Shaped<Preference> {
  const fields = fieldsOf(value);
  const [has, lacks] = [isThere(fields['chosen']), isThere(fields['rejected'])];
  if (!has && !lacks) return refuse('no_pair');
  if (!has || !lacks) return refuse('half_a_pair');
  const pair = splitPair(fields['prompt'], fields['chosen'], fields['rejected']);
  if ('reason' in pair) return pair;
  const { prompt, chosen, rejected } = pair;
  const wrong = promptFault(prompt);
  if (wrong) return refuse(wrong);
  if (isBlank(chosen) || isBlank(rejected)) return refuse('empty_answer');
  if (chosen === rejected) return refuse('same_answer');
  const at = typeof fields['at'] === 'string' ? Date.parse(fields['at']) : NaN;
  return {
    ...named(fields, place, pair),
    prompt,
    chosen,
    rejected,
    judge: textOrNull(fields['judge']),
    at: Number.isNaN(at) ? null : at,
    judgement: textOrNull(fields['judgement']),
  };
}

/** A single answer with a label: {prompt, completion, label} (TRL's unpaired preference) or {prompt, answer, good}. Reasons: no_label, and those of a pair. */
export function unpairedOf(value: unknown, place: Place): Shaped<Unpaired> {
  const fields = fieldsOf(value);
  const label = fields['label'] ?? fields['good'];
  if (label !== true && label !== false && label !== 0 && label !== 1) return refuse('no_label');
  const prompt = promptTurns(fields['prompt']);
  if (!Array.isArray(prompt)) return prompt;
  const wrong = promptFault(prompt);
  if (wrong) return refuse(wrong);
  const answer = single(answerTurns(fields['completion'] ?? fields['answer']));
  if (typeof answer !== 'string') return answer;
  if (isBlank(answer)) return refuse('empty_answer');
  return { ...named(fields, place, { prompt, answer }), prompt, answer, good: Boolean(label) };
}

/** What comes before an answer: {prompt} plain or a list of turns, or {messages} up to the last user turn. Reasons: no_prompt, and those of turns. */
export function promptOf(value: unknown, place: Place): Shaped<{ id: string; source: string; prompt: Turn[] }> {
  const fields = typeof value === 'string' ? { prompt: value } : fieldsOf(value);
  let turns = fields['prompt'] === undefined ? turnsOf(fields['messages']) : promptTurns(fields['prompt']);
  if (!Array.isArray(turns)) return fields['messages'] === undefined ? refuse('no_prompt') : turns;
  const last = turns.findLastIndex((t) => t.role === 'user');
  turns = turns.slice(0, last + 1);
  return last === -1 ? refuse('no_prompt') : { ...named(fields, place, turns), prompt: turns };
}

const isThere = (value: unknown) => value !== undefined && value !== null;
const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null);

/** The id and source of a record: its own, else from its content and its file. */
function named(fields: Fields, place: Place, content: unknown): { id: string; source: string } {
  const { id, source } = fields;
  const own = typeof id === 'string' && id !== '' ? id : typeof id === 'number' ? String(id) : null;
  const from = typeof source === 'string' && source !== '' ? source : place.source;
  return { id: own ?? documentId(from, stableJson(content)), source: from };
}

function promptFault(prompt: readonly Turn[]): string | null {
  if (!prompt.some((t) => t.role !== 'system' && !isBlank(t.content))) return 'no_prompt';
  return prompt.at(-1)!.role === 'assistant' ? 'prompt_ends_with_answer' : null;
}

/** A list of turns, or why it is none. Content may be text, or parts of which all are text. */
function turnsOf(value: unknown): Shaped<Turn[]> {
  if (!Array.isArray(value) || value.length === 0) return refuse('no_messages');
  if (value.length > MOST_TURNS) return refuse('too_many_messages');
  const turns: Turn[] = [];
  for (const item of value) {
    const { role, content, tool_calls: calls } = fieldsOf(item);
    if (typeof role !== 'string' || !ROLES.has(role)) return refuse('unknown_role');
    const text = contentOf(content);
    if (text === null && calls === undefined) return refuse('no_content');
    if (text !== null && !(text === '' && calls !== undefined)) turns.push({ role, content: text });
    if (calls !== undefined) turns.push({ role: 'tool_call', content: JSON.stringify(calls) });
  }
  return turns;
}

function contentOf(content: unknown): string | null {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content) || content.length === 0) return null;
  const parts = content.map((part) => fieldsOf(part)['text']);
  return parts.every((p) => typeof p === 'string') ? parts.join('') : null;
}

const promptTurns = (value: unknown): Shaped<Turn[]> =>
  typeof value === 'string'
    ? (dialogueOf(value) ?? [{ role: 'user', content: value }])
    : Array.isArray(value)
      ? turnsOf(value)
      : refuse('no_prompt');

const answerTurns = (value: unknown): Shaped<Turn[]> =>
  typeof value === 'string'
    ? [{ role: 'assistant', content: value }]
    : Array.isArray(value)
      ? turnsOf(value)
      : isThere(value)
        ? turnsOf([value])
        : refuse('empty_answer');

function joined(a: Shaped<Turn[]>, b: Shaped<Turn[]>, neither: string): Shaped<Turn[]> {
  if (!Array.isArray(a)) return Array.isArray(b) ? a : refuse(neither);
  if (!Array.isArray(b)) return b.reason === 'empty_answer' ? refuse('no_answer') : b;
  return [...a, ...b];
}

/** The one assistant turn that an answer is. */
function single(turns: Shaped<Turn[]>): { reason: string } | string {
  if (!Array.isArray(turns)) return turns;
  if (turns.length !== 1) return refuse('several_turns');
  return turns[0]!.role === 'assistant' ? turns[0]!.content : refuse('unknown_role');
}

interface Pair {
  prompt: Turn[];
  chosen: string;
  rejected: string;
}

function splitPair(prompt: unknown, chosen: unknown, rejected: unknown): Shaped<Pair> {
  if (typeof chosen === 'string' && typeof rejected === 'string' && !isThere(prompt))
    return splitText(chosen, rejected);
  const [a, b] = [answerTurns(chosen), answerTurns(rejected)];
  if (!Array.isArray(a)) return a;
  if (!Array.isArray(b)) return b;
  // Some sets repeat the prompt in both lists and give its last turn as a text beside them: the lists say more.
  if (!isThere(prompt) || (a.length > 1 && b.length > 1)) return splitTurns(a, b, prompt);
  const before = promptTurns(prompt);
  if (!Array.isArray(before)) return before;
  return pairOf(before, a, b);
}

function splitTurns(a: Turn[], b: Turn[], prompt: unknown): Shaped<Pair> {
  let common = 0;
  const most = Math.min(a.length, b.length) - 1;
  while (common < most && a[common]!.role === b[common]!.role && a[common]!.content === b[common]!.content) common++;
  const before = a.slice(0, common);
  const given = Array.isArray(prompt) ? turnsOf(prompt) : [];
  if (!Array.isArray(given)) return given;
  const repeats = before.length >= given.length && given.every((t, i) => t.content === before[i]!.content);
  return pairOf(repeats ? before : [...given, ...before], a.slice(common), b.slice(common));
}

function pairOf(prompt: Turn[], a: Turn[], b: Turn[]): Shaped<Pair> {
  if (a.length !== b.length || (a.length > 1 && a[0]!.role !== 'assistant')) return refuse('different_prompts');
  const [chosen, rejected] = [single(a), single(b)];
  if (typeof chosen !== 'string') return chosen;
  if (typeof rejected !== 'string') return rejected;
  return { prompt, chosen, rejected };
}

/** Two texts with one beginning: that is the prompt, up to the last word that both have whole. */
function splitText(chosen: string, rejected: string): Shaped<Pair> {
  const [a, b] = [dialogueOf(chosen), dialogueOf(rejected)];
  if (a && b) return splitTurns(a, b, null);
  const most = Math.min(chosen.length, rejected.length);
  let same = 0;
  while (same < most && chosen[same] === rejected[same]) same++;
  const inWord = (text: string) => same > 0 && /\S$/.test(text.slice(0, same)) && /^[^\s\p{P}]/u.test(text.slice(same));
  // Never half a word or half a character; a script without spaces is cut between characters.
  const cut = inWord(chosen) || inWord(rejected) ? lastBorder(chosen.slice(0, same)) : same;
  const at = chosen[cut - 1] === ' ' ? cut - 1 : cut;
  if (chosen === rejected) return refuse('same_answer');
  return {
    prompt: [{ role: 'user', content: chosen.slice(0, at) }],
    chosen: chosen.slice(at),
    rejected: rejected.slice(at),
  };
}

function lastBorder(text: string): number {
  for (let i = text.length; i > 0; i--) {
    if (/[\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text[i - 1]!)) return i;
  }
  return 0;
}

/** The turns of a transcript as Anthropic's hh-rlhf writes it: "\n\nHuman: …\n\nAssistant: …"; null for any other text. */
function dialogueOf(text: string): Turn[] | null {
  if (!/^\s{0,2}Human:/.test(text)) return null;
  const parts = text.split(/(?:^|\n\n)(Human|Assistant):[ ]?/);
  const turns: Turn[] = [];
  for (let i = 1; i < parts.length; i += 2)
    turns.push({ role: parts[i] === 'Human' ? 'user' : 'assistant', content: parts[i + 1]! });
  // A prompt ends with the head of the answer.
  if (turns.length > 1 && turns.at(-1)!.role === 'assistant' && isBlank(turns.at(-1)!.content)) turns.pop();
  return turns.length > 0 ? turns : null;
}
