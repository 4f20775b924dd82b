import type { Turn } from '../../core/records/index.ts';
import type { Message } from '../chat/conversations.ts';
import { refusal, type ChatTemplate } from '../chat/template.ts';
import type { Piece } from './pieces.ts';

/** A prompt and one of its answers as ids. */
export interface Answer {
  ids: number[];
  /** Ids before the answer. */
  prompt: number;
  /** Something did not fit. */
  cut: boolean;
}

/** Of a row, what a prompt keeps beside an answer that is longer than the rest. */
const LEAST_PROMPT = 1 / 4;

/**
 * Answers to one prompt as ids, each `room` long at most: all see the same prompt. Where they are too long together, the prompt loses
 * its beginning, down to a quarter of the room; then the answer loses its end. The end of the turn belongs to the answer.
 */
export function answersTo(
  chat: ChatTemplate,
  turns: readonly Turn[],
  answers: readonly string[],
  room: number,
): Answer[] {
  const messages = turns as readonly Message[];
  const prompt = chat.prompt(messages);
  const endings = answers.map((content) => {
    const { ids, learned } = chat.render([...messages, { role: 'assistant', content }]);
    return ids.slice(prompt.length, learned.lastIndexOf(true) + 1);
  });
  const longest = Math.max(...endings.map((e) => e.length));
  const kept = Math.min(prompt.length, Math.max(Math.floor(room * LEAST_PROMPT), room - longest));
  const before = prompt.slice(prompt.length - kept);
  return endings.map((ending) => {
    const answer = ending.slice(0, room - kept);
    return {
      ids: [...before, ...answer],
      prompt: kept,
      cut: kept < prompt.length || answer.length < ending.length,
    };
  });
}

/** Why a template has no form for a prompt; null where it has. */
export const promptRefusal = (turns: readonly Turn[]): string | null => refusal(turns);

/** A piece that asks for the probability of each token of an answer; at most `room` long for an answer of room + 1 ids. */
export const answerPiece = ({ ids, prompt }: Answer): Piece => ({
  tokens: ids.slice(0, -1),
  targets: ids.slice(1).map((id, i) => (i + 1 < prompt ? -1 : id)),
});

/** A piece that asks for the score after each `count`-th part of an answer, the last token being the last place. */
export function prefixPiece(answer: Answer, count: number): { piece: Piece; places: number[] } {
  const { ids, prompt } = answer;
  const places = Array.from(
    { length: count },
    (_, k) => prompt + Math.max(1, Math.ceil(((ids.length - prompt) * (k + 1)) / count)) - 1,
  );
  const targets = ids.map(() => -1);
  for (const place of places) targets[place] = 0;
  return { piece: { tokens: ids, targets }, places };
}

/** A piece that asks for the score at the last token. */
export const scorePiece = ({ ids }: Answer): Piece => ({
  tokens: ids,
  targets: ids.map((_, i) => (i === ids.length - 1 ? 0 : -1)),
});
