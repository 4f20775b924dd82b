import { GarnerError } from '../../core/errors.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { Message } from './conversations.ts';

/** ChatML's special tokens. */
const TURN_START = '<|im_start|>';
const TURN_END = '<|im_end|>';

/** The template as others read it: Transformers' chat_template.jinja. The same text as `renderChat` makes ids of. */
export const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Ids of a conversation, and which of them are learned: answers and the end of their turn, nothing else. */
export interface RenderedChat {
  ids: number[];
  learned: boolean[];
}

/** Makes ids of conversations under one tokenizer. */
export interface ChatTemplate {
  /** End of a turn: also where a sample stops. */
  end: number;
  render(messages: readonly Message[]): RenderedChat;
  /** The conversation so far and the head of an answer. */
  prompt(messages: readonly Message[]): number[];
}

/**
 * ChatML over a tokenizer. Turn marks are ids, never text: what a person writes cannot open a turn. Each piece between
 * marks is encoded alone, so that the ids of a conversation are a prefix of those of a longer one.
 * Throws a GarnerError when the tokenizer has no turn marks.
 */
export function chatTemplate(vocabulary: Vocabulary): ChatTemplate {
  const start = vocabulary.special(TURN_START);
  const end = vocabulary.special(TURN_END);
  if (start === null || end === null)
    throw new GarnerError({
      what: `the tokenizer has no special tokens ${TURN_START} and ${TURN_END}`,
      hint: 'let the recipe train one, or choose one that has them',
      fault: 2,
    });
  const newline = vocabulary.encode('\n');
  const head = (role: string) => [start, ...vocabulary.encode(`${role}\n`)];
  const render = (messages: readonly Message[]): RenderedChat => {
    const ids: number[] = [];
    const learned: boolean[] = [];
    const add = (more: readonly number[], learn: boolean) => {
      for (const id of more) {
        ids.push(id);
        learned.push(learn);
      }
    };
    for (const { role, content } of messages) {
      const answer = role === 'assistant';
      add(head(role), false);
      add(vocabulary.encode(content), answer);
      add([end], answer);
      add(newline, false);
    }
    return { ids, learned };
  };
  return { end, render, prompt: (messages) => [...render(messages).ids, ...head('assistant')] };
}
