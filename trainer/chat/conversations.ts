import { linesOf, readBytes } from '../../core/files.ts';
import { refusal } from './template.ts';

export type Role = 'system' | 'user' | 'assistant';

export interface Message {
  role: Role;
  content: string;
}

/** A conversation that has an answer to learn. */
export interface Conversation {
  messages: Message[];
}

/** A line of the data that is no conversation. */
export interface RefusedLine {
  /** Counted from 1. */
  line: number;
  reason: string;
}

const LONGEST_LINE = 4 << 20;
const MOST_MESSAGES = 1000;

/**
 * Reads conversations from JSON lines (also .gz): {messages: [{role, content}]} or {prompt, completion}. A line that is
 * none comes back with its reason. Throws a GarnerError for a file that cannot be read.
 */
export async function readConversations(
  path: string,
): Promise<{ conversations: Conversation[]; refused: RefusedLine[] }> {
  const conversations: Conversation[] = [];
  const refused: RefusedLine[] = [];
  for await (const { number, text, tooLong } of linesOf(readBytes(path), LONGEST_LINE)) {
    if (!tooLong && text.trim() === '') continue;
    const found = tooLong ? 'line_too_long' : parseConversation(text);
    if (typeof found === 'string') refused.push({ line: number, reason: found });
    else conversations.push(found);
  }
  return { conversations, refused };
}

/** One line as a conversation, or why it is none. */
export function parseConversation(line: string): Conversation | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'not_json';
  }
  const { messages, prompt, completion } = Object(value) as Record<string, unknown>;
  if (typeof prompt === 'string' && typeof completion === 'string')
    return completion === ''
      ? 'no_answer'
      : {
          messages: [
            { role: 'user', content: prompt },
            { role: 'assistant', content: completion },
          ],
        };
  if (!Array.isArray(messages)) return 'no_messages';
  if (messages.length > MOST_MESSAGES) return 'too_many_messages';
  const read: Message[] = [];
  for (const message of messages) {
    const { role, content, tool_calls: calls } = Object(message) as Record<string, unknown>;
    const called = Array.isArray(calls) && calls.length > 0;
    const reason = called ? 'template_has_no_tools' : refusal([{ role: String(role), content }]);
    if (reason !== null) return reason;
    read.push({ role: role as Role, content: content as string });
  }
  return read.some((m) => m.role === 'assistant' && m.content !== '') ? { messages: read } : 'no_answer';
}
