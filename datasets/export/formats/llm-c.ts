import { bytesOf, type ExportFile } from '../file.ts';
import { partOf, tokenSink, type TokenSink } from '../tokens.ts';
import type { CreateFile, Format, FormatOptions, Split } from '../types.ts';

const HEADER = 256;
/** Magic and version by bytes a token: the second is read by the Llama 3 scripts only. */
const KINDS = { 2: [20_240_520, 1], 4: [20_240_801, 7] } as const;
/** A last shard of less than this share joins the one before it: llm.c stops at a shard that is shorter than a batch. */
const LEAST = 0.1;

/**
 * llm.c's shards: a header of 256 int32, then tokens; the end-of-text token stands before each document, documents run on
 * over shards. Validation is shard 0, training goes on from 1, as in its FineWeb files.
 */
export const llmC: Format = {
  about: 'llm.c: shards of 100 million tokens with its header',
  needs: 'tokens',
  width: (vocabulary) => (vocabulary <= 65_536 ? 2 : 4),
  open: (create, options) => (split) => {
    const writer = shardWriter(create, options, split);
    const end = [options.tokenizer!.endOfText];
    return {
      async add(document) {
        await writer.append(end);
        await writer.append(document.tokens!);
      },
      close: () => writer.close(),
    };
  },
};

interface Shard {
  file: ExportFile;
  sink: TokenSink;
}

function shardWriter(create: CreateFile, options: FormatOptions, split: Split) {
  const width = llmC.width!(options.tokenizer!.vocabulary);
  const most = options.shardTokens;
  const least = Math.ceil(most * LEAST);
  const first = split === 'validation' ? 0 : 1;
  let shards = 0;
  const open = (): Shard => {
    const number = String(first + shards++).padStart(6, '0');
    const file = create(`${options.name}_${split === 'validation' ? 'val' : 'train'}_${number}.bin`);
    const header = new Int32Array(HEADER);
    header.set([...KINDS[width], most]);
    file.write(bytesOf(header));
    return { file, sink: tokenSink(file, width) };
  };
  const finish = async ({ file, sink }: Shard) => {
    sink.flush();
    if (sink.length !== most) file.patch(8, bytesOf(Int32Array.of(sink.length)));
    await file.close();
  };
  // A full shard stays open until enough tokens have come for the next one: what is too short goes to its end.
  let current = open();
  let over: Uint32Array = new Uint32Array(least);
  let waiting = 0;
  let tokens = 0;
  return {
    async append(added: ArrayLike<number>): Promise<void> {
      tokens += added.length;
      for (let at = 0; at < added.length;) {
        const room = most - current.sink.length;
        const n = Math.min(room > 0 ? room : least - waiting, added.length - at);
        const piece = partOf(added, at, at + n);
        at += n;
        if (room > 0) {
          current.sink.append(piece);
          continue;
        }
        over.set(piece, waiting);
        waiting += n;
        if (waiting < least) continue;
        await finish(current);
        current = open();
        current.sink.append(over);
        waiting = 0;
      }
    },
    async close(): Promise<Record<string, number>> {
      current.sink.append(over.subarray(0, waiting));
      over = new Uint32Array(0);
      await finish(current);
      return { tokens, shards };
    },
  };
}
