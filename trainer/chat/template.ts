import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import type { Message } from './conversations.ts';

/** How turns are marked. Marks are special tokens by name; plain text stands between them. */
interface Marks {
  /** Before the first turn. */
  begin: string | null;
  /** Before and after the role. */
  role: readonly [string, string | null];
  /** Plain text after the role. */
  gap: string;
  /** After what was said. */
  end: string;
  /** Plain text after a turn. */
  after: string;
}

/** ChatML (OpenAI, Qwen, SmolLM2) and Llama 3's form. */
const TEMPLATES = {
  chatml: { begin: null, role: ['<|im_start|>', null], gap: '\n', end: '<|im_end|>', after: '\n' },
  llama3: {
    begin: '<|begin_of_text|>',
    role: ['<|start_header_id|>', '<|end_header_id|>'],
    gap: '\n\n',
    end: '<|eot_id|>',
    after: '',
  },
} as const satisfies Record<string, Marks>;

export type TemplateName = keyof typeof TEMPLATES;
export const TEMPLATE_NAMES = Object.keys(TEMPLATES) as [TemplateName, ...TemplateName[]];

/** The first template whose marks a tokenizer has all; null where it has those of none. */
export const templateOf = (vocabulary: Pick<Vocabulary, 'special'>): TemplateName | null =>
  TEMPLATE_NAMES.find((n) => marksOf(n).every((m) => vocabulary.special(m) !== null)) ?? null;

/** Ids of a conversation, and which of them are learned: answers and the end of their turn, nothing else. */
export interface RenderedChat {
  ids: number[];
  learned: boolean[];
}

/** Makes ids of conversations under one tokenizer. */
export interface ChatTemplate {
  name: TemplateName;
  /** Ids of its marks, ascending. */
  marks: readonly number[];
  /** The template as others read it: Transformers' chat_template.jinja. The same ids as `render` and `prompt`. */
  jinja: string;
  /** End of a turn: also where a sample stops. */
  end: number;
  /** Its name. */
  endMark: string;
  render(messages: readonly Message[]): RenderedChat;
  /** The conversation so far and the head of an answer. */
  prompt(messages: readonly Message[]): number[];
}

/**
 * A template over a tokenizer; without a name, the first of ChatML and Llama 3 whose marks it has. Marks are ids, never text:
 * what a person writes cannot open a turn. What a person says is encoded with the role before it, as Transformers does;
 * an answer is encoded alone and without blanks around it, since it is written after its head: so the ids of a conversation
 * are a prefix of those of a longer one. (Under GPT-2's split Llama 3's two newlines are one token before nothing and two
 * before text: there, and only there, Transformers' ids of an answer's head differ.)
 * Throws a GarnerError when the tokenizer has no turn marks.
 */
export function chatTemplate(vocabulary: Vocabulary, wanted?: TemplateName): ChatTemplate {
  const name = wanted ?? templateOf(vocabulary) ?? 'chatml';
  const missing = marksOf(name).filter((m) => vocabulary.special(m) === null);
  if (missing.length > 0)
    throw new GarnerError({
      what: `the tokenizer has no special tokens ${missing.join(' and ')}`,
      hint: 'let the recipe train one, or choose one that has them',
      fault: 2,
    });
  const marks: Marks = TEMPLATES[name];
  const id = (mark: string | null) => (mark === null ? [] : [vocabulary.special(mark)!]);
  const [before, behind] = marks.role;
  const end = vocabulary.special(marks.end)!;
  const after = vocabulary.encode(marks.after);

  /** A role and what is said; encoded in one where no mark stands between them. */
  const open = (role: string, content: string) =>
    behind === null
      ? [...id(before), ...vocabulary.encode(`${role}${marks.gap}${content}`)]
      : [...id(before), ...vocabulary.encode(role), ...id(behind), ...vocabulary.encode(`${marks.gap}${content}`)];

  const render = (messages: readonly Message[]): RenderedChat => {
    const ids: number[] = [];
    const learned: boolean[] = [];
    const add = (more: readonly number[], learn: boolean) => {
      for (const one of more) {
        ids.push(one);
        learned.push(learn);
      }
    };
    add(id(marks.begin), false);
    for (const { role, content } of messages) {
      const answer = role === 'assistant';
      add(open(role, answer ? '' : content), false);
      if (answer) add(vocabulary.encode(strip(content)), true);
      add([end], answer);
      add(after, false);
    }
    return { ids, learned };
  };
  return {
    name,
    marks: marksOf(name)
      .map((m) => vocabulary.special(m)!)
      .toSorted((a, b) => a - b),
    jinja: jinjaOf(marks),
    end,
    endMark: marks.end,
    render,
    prompt: (messages) => [...render(messages).ids, ...open('assistant', '')],
  };
}

/**
 * Why no template here can express a conversation, as a decision's reason; null where they can. Neither has a form for calls of
 * tools, and a role that a model never saw in training would be read as anything.
 */
export function refusal(turns: readonly { role: string; content: unknown }[]): string | null {
  for (const { role, content } of turns) {
    if (role === 'tool' || role === 'tool_call' || role === 'function') return 'template_has_no_tools';
    if (role !== 'system' && role !== 'user' && role !== 'assistant') return 'unknown_role';
    if (typeof content !== 'string') return 'no_content';
  }
  return turns.length === 0 ? 'no_messages' : null;
}

/** The template of a model's folder, or null where it has none that garner knows. Throws a GarnerError where its marks are missing. */
export function templateBeside(folder: string, vocabulary: Vocabulary): ChatTemplate | null {
  const path = join(folder, 'chat_template.jinja');
  if (!existsSync(path)) return null;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  const name = TEMPLATE_NAMES.find((n) => marksOf(n).every((m) => text.includes(m)));
  return name === undefined ? null : chatTemplate(vocabulary, name);
}

/** The special tokens of a template, in the order in which a conversation shows them. */
export const marksOf = (name: TemplateName): string[] => {
  const { begin, role, end }: Marks = TEMPLATES[name];
  return [begin, ...role, end].filter((m) => m !== null);
};

function jinjaOf({ begin, role, gap, end, after }: Marks): string {
  const text = (s: string) => `'${s.replaceAll('\n', '\\n')}'`;
  const head = (who: string) => `${text(role[0])} + ${who} + ${text(`${role[1] ?? ''}${gap}`)}`;
  const content = `(message['content'] | trim if message['role'] == 'assistant' else message['content'])`;
  return (
    (begin === null ? '' : `{{ ${text(begin)} }}`) +
    `{% for message in messages %}{{ ${head("message['role']")} + ${content} + ${text(`${end}${after}`)} }}{% endfor %}` +
    `{% if add_generation_prompt %}{{ ${head("'assistant'")} }}{% endif %}`
  );
}

/** Without blanks at both ends, those of Python's str.strip(): JavaScript's trim() takes U+FEFF as well and leaves others. */
function strip(text: string): string {
  const blank = /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
  let from = 0;
  let to = text.length;
  while (from < to && blank.test(text[from]!)) from++;
  while (to > from && blank.test(text[to - 1]!)) to--;
  return text.slice(from, to);
}
