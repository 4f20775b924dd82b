import { GarnerError } from '../../../core/errors.ts';
import { tokenSink } from '../tokens.ts';
import type { Format } from '../types.ts';

/** GPT-2's vocabulary is the one that nanoGPT takes where no meta.pkl says otherwise. */
const GPT2 = 50_257;

/**
 * nanoGPT's `train.bin` and `val.bin`: uint16 and nothing else, the end-of-text token after each document; and `meta.pkl`
 * with the size of the vocabulary, where it is not GPT-2's.
 */
export const nanogpt: Format = {
  about: 'nanoGPT: train.bin, val.bin (uint16) and meta.pkl',
  needs: 'tokens',
  width(vocabulary) {
    if (vocabulary <= 65_536) return 2;
    throw new GarnerError({
      what: `nanoGPT reads tokens of 16 bits, and this vocabulary has ${vocabulary}`,
      hint: 'take a tokenizer of at most 65,536 tokens, or another format (megatron, llm.c, mds)',
      fault: 2,
    });
  },
  open: (create, { tokenizer }) => {
    const { vocabulary, endOfText } = tokenizer!;
    nanogpt.width!(vocabulary);
    return (split) => {
      const file = create(split === 'train' ? 'train.bin' : 'val.bin');
      const tokens = tokenSink(file, 2);
      const end = [endOfText];
      return {
        add(document) {
          tokens.append(document.tokens!);
          tokens.append(end);
        },
        async close() {
          tokens.flush();
          await file.close();
          if (split === 'train' && vocabulary !== GPT2) {
            const meta = create('meta.pkl');
            meta.write(pickle(vocabulary));
            await meta.close();
          }
          return { tokens: tokens.length };
        },
      };
    };
  },
};

/** `{'vocab_size': n}` as Python's pickle has it, protocol 2: a dictionary, a key, a number of four bytes, done. */
function pickle(vocabulary: number): Buffer {
  const key = Buffer.from('vocab_size');
  const number = Buffer.alloc(5);
  number.write('J', 'latin1');
  number.writeInt32LE(vocabulary, 1);
  return Buffer.concat([Buffer.from([0x80, 2]), Buffer.from('}X'), u32(key.length), key, number, Buffer.from('s.')]);
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
}
