import { linesOf } from '../../core/files.ts';
import { LETTER, NUMBER, WHITE_SPACE } from '../encode/classes.ts';
import { classOf } from '../encode/split.ts';

/** Text is handed on in pieces of about this size [bytes]. */
const CHUNK = 8 << 20;
/** Without any place to cut it, so much is held [bytes]. */
const MOST_HELD = 256 << 20;
const LONGEST_LINE = 64 << 20;
const LINE_FEED = 10;

/**
 * A stream of plain text in chunks. It is cut between a single line feed and a letter or digit: there a pre-token ends
 * under every split pattern, so that the chunks have the pre-tokens of the whole.
 */
export async function* chunksOf(bytes: AsyncIterable<Uint8Array>, chunk: number = CHUNK): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  let wanted = chunk;
  for await (const part of bytes) {
    held.push(part);
    size += part.length;
    if (size < wanted) continue;
    const whole = Buffer.concat(held);
    const cut = lastBorder(whole) ?? (size > MOST_HELD ? size : 0);
    if (cut > 0) yield whole.subarray(0, cut);
    held = [cut === 0 ? whole : Buffer.from(whole.subarray(cut))];
    size -= cut;
    // Where there was no border, the next search waits until there is twice as much: time stays linear.
    wanted = Math.max(chunk, 2 * size);
  }
  if (size > 0) yield Buffer.concat(held);
}

function lastBorder(bytes: Uint8Array): number | undefined {
  for (let i = bytes.lastIndexOf(LINE_FEED); i > 0; i = bytes.lastIndexOf(LINE_FEED, i - 1))
    if (classOf(bytes, i + 1) & (LETTER | NUMBER) && !(classBefore(bytes, i) & WHITE_SPACE)) return i + 1;
  return undefined;
}

/** Class bits of the character that ends before byte i > 0. */
function classBefore(bytes: Uint8Array, i: number): number {
  let start = i - 1;
  while (start > 0 && i - start < 4 && (bytes[start]! & 0xc0) === 0x80) start--;
  return classOf(bytes, start);
}

/** The texts of JSON lines, each by itself; `bad` is told of lines without a text. */
export async function* textsOfJsonLines(
  bytes: AsyncIterable<Uint8Array>,
  bad: (line: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const line of linesOf(bytes, LONGEST_LINE)) {
    if (!line.tooLong && line.text.trim() === '') continue;
    const text = line.tooLong ? undefined : textOf(line.text);
    if (text === undefined) bad(line.number);
    else yield Buffer.from(text);
  }
}

function textOf(line: string): string | undefined {
  try {
    const { text } = Object(JSON.parse(line)) as { text?: unknown };
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}
