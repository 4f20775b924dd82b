import { StringDecoder } from 'node:string_decoder';

/** Characters after which a line without an end is cut: a rank that prints no line break must not fill the memory. */
const LONGEST = 16_384;

/** Hands on each line of a stream, without its end; the rest at the stream's end. */
export function prefixLines(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let open = '';
  stream.on('data', (chunk: Buffer) => {
    const parts = (open + decoder.write(chunk)).split('\n');
    open = parts.pop()!;
    for (const part of parts) line(part.replace(/\r$/, ''));
    for (; open.length > LONGEST; open = open.slice(LONGEST)) line(open.slice(0, LONGEST));
  });
  stream.on('end', () => {
    if (open !== '') line(open);
    open = '';
  });
  stream.on('error', () => {});
}
