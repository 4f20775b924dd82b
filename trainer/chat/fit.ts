import type { Message } from './conversations.ts';
import type { ChatTemplate } from './template.ts';

export interface Fitted {
  /** Ids up to the head of the answer. */
  prompt: number[];
  /** Messages that are still in it. */
  messages: Message[];
  /** Of the oldest, after the system's, how many were left out. */
  dropped: number;
}

/**
 * The end of a conversation that fits in `room` tokens: the oldest turns go, up to the next question each time; the system
 * message and the last question stay. Null where these alone are too long.
 */
export function fitConversation(chat: ChatTemplate, messages: readonly Message[], room: number): Fitted | null {
  const system = messages[0]?.role === 'system' ? [messages[0]] : [];
  const turns = messages.slice(system.length);
  for (let dropped = 0; dropped < turns.length; dropped++) {
    if (dropped > 0 && turns[dropped]!.role !== 'user') continue;
    const kept = [...system, ...turns.slice(dropped)];
    const prompt = chat.prompt(kept);
    if (prompt.length <= room) return { prompt, messages: kept, dropped };
  }
  return null;
}
