import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { readHeader, type TensorEntry } from './header.ts';

/** A tensor to be stored: fp32, row-major. `data` is asked for when its turn has come, and may be gone afterwards. */
export interface StoredTensor {
  name: string;
  shape: readonly number[];
  data: () => Float32Array;
}

/** Tensors in the order in which a file holds them: that of their names. */
export const inFileOrder = <T extends { name: string }>(tensors: readonly T[]): T[] =>
  [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));

/**
 * Writes a safetensors file (format of huggingface/safetensors): u64 header length, JSON header padded to 8 bytes, data in the order of names.
 * The same tensors give the same bytes. The file is flushed; `path` should be a temporary name or in a temporary folder.
 */
export function writeSafetensors(
  path: string,
  tensors: readonly StoredTensor[],
  metadata: Record<string, string> = { format: 'pt' },
): void {
  const sorted = inFileOrder(tensors);
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, shape } of sorted)
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += 4 * shape.reduce((a, b) => a * b, 1))] };
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  const file = openSync(path, 'w');
  try {
    writeAll(file, head);
    for (const { name, shape, data: ask } of sorted) {
      const data = ask();
      if (shape.reduce((a, b) => a * b, 1) !== data.length)
        throw new Error(`${name}: ${data.length} numbers for the shape [${shape.join(', ')}]`);
      writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    fsyncSync(file);
  } catch (error) {
    throw explainSystemError(error, path);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 26));
}

export interface SafetensorsFile {
  metadata: Record<string, string>;
  tensors: ReadonlyMap<string, TensorEntry>;
  /** A tensor as fp32, row-major (F64, F32, F16, BF16 are converted). Throws a GarnerError for other types and unknown names. */
  read(name: string): Float32Array;
  close(): void;
}

/** Opens a safetensors file and checks its header; the data is read tensor by tensor. */
export function openSafetensors(path: string): SafetensorsFile {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw explainSystemError(error, path);
  }
  const bytesAt = (position: number, length: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const got = readSync(file, bytes, done, Math.min(length - done, 1 << 26), position + done);
      if (got === 0) throw new GarnerError({ what: 'the file became shorter while it was read', where: path });
      done += got;
    }
    return bytes;
  };
  try {
    const { metadata, tensors, dataStart } = readHeader(path, fstatSync(file).size, bytesAt);
    return {
      metadata,
      tensors,
      read(name) {
        const entry = tensors.get(name);
        if (!entry) throw new GarnerError({ what: `there is no tensor "${name}"`, where: path, fault: 2 });
        return toFloat32(path, name, entry, bytesAt(dataStart + entry.begin, entry.end - entry.begin));
      },
      close: () => closeSync(file),
    };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function toFloat32(path: string, name: string, { dtype }: TensorEntry, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(bytes.buffer));
    case 'BF16': {
      const halves = new Uint16Array(bytes.buffer);
      const words = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
      return new Float32Array(words.buffer);
    }
    case 'F16':
      return Float32Array.from(new Uint16Array(bytes.buffer), fromHalf);
    default:
      throw new GarnerError({ what: `tensor "${name}" is ${dtype}: F64, F32, F16 or BF16 is expected`, where: path });
  }
}

/** IEEE 754 binary16 → number, subnormals, infinities and NaN included. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
