import { GarnerError } from '../../core/errors.ts';

/** Where a tensor lies; offsets from the start of the data [bytes]. */
export interface TensorEntry {
  dtype: string;
  shape: readonly number[];
  begin: number;
  end: number;
}

export interface Header {
  metadata: Record<string, string>;
  tensors: ReadonlyMap<string, TensorEntry>;
  /** Where the data starts in the file [bytes]. */
  dataStart: number;
}

/** Bits an element takes, by dtype (huggingface/safetensors). */
const BITS: Record<string, number> = {
  F64: 64,
  I64: 64,
  U64: 64,
  C64: 64,
  F32: 32,
  I32: 32,
  U32: 32,
  F16: 16,
  BF16: 16,
  I16: 16,
  U16: 16,
  I8: 8,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
};

const LONGEST_HEADER = 100_000_000;

/**
 * Reads and checks the header of a safetensors file of `size` bytes: a bounded header, known types, sizes that follow from
 * the shapes, each name once, data without a hole, an overlap or a rest. Throws a GarnerError that says which tensor is wrong.
 */
export function readHeader(
  path: string,
  size: number,
  bytesAt: (position: number, length: number) => Uint8Array,
): Header {
  const refuse = (what: string): never => {
    throw new GarnerError({ what: `no valid safetensors file: ${what}`, where: path, hint: 'copy it again' });
  };
  if (size < 8) return refuse(`${size} bytes`);
  const length = Number(Buffer.from(bytesAt(0, 8)).readBigUInt64LE());
  if (length > LONGEST_HEADER || 8 + length > size) return refuse(`a header of ${length} bytes in ${size}`);
  let json = '';
  let value: unknown;
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytesAt(8, length));
    value = JSON.parse(json);
  } catch {
    return refuse('the header is no JSON');
  }
  if (!json.startsWith('{') || !isRecord(value)) return refuse('the header is no JSON object');
  const twice = repeatedKey(json);
  if (twice !== null) return refuse(`the name ${JSON.stringify(twice)} stands twice`);

  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(value)) {
    if (name !== '__metadata__') tensors.set(name, readEntry(name, entry, refuse));
    else if (isRecord(entry) && Object.values(entry).every((v) => typeof v === 'string'))
      metadata = entry as Record<string, string>;
    else return refuse('__metadata__ holds something other than strings');
  }
  let end = 0;
  for (const [name, t] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (t.begin !== end) return refuse(`tensor "${name}" begins at ${t.begin}, the one before it ends at ${end}`);
    end = t.end;
  }
  if (8 + length + end !== size) return refuse(`the tensors end at ${8 + length + end}, the file at ${size}`);
  return { metadata, tensors, dataStart: 8 + length };
}

function readEntry(name: string, entry: unknown, refuse: (what: string) => never): TensorEntry {
  if (!isRecord(entry)) return refuse(`tensor "${name}" has no description`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === 'string' && Object.hasOwn(BITS, dtype) ? BITS[dtype]! : 0;
  if (bits === 0) return refuse(`tensor "${name}" has the type ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isSize)) return refuse(`tensor "${name}" has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return refuse(`tensor "${name}" has no valid data_offsets`);
  const elements = shape.reduce((a: number, b: number) => a * b, 1);
  const [begin, end] = offsets as [number, number];
  if (!Number.isSafeInteger(elements * bits) || (elements * bits) % 8 !== 0 || end - begin !== (elements * bits) / 8)
    return refuse(`tensor "${name}" [${shape.join(', ')}] of ${String(dtype)} has ${end - begin} bytes`);
  return { dtype: dtype as string, shape: shape as number[], begin, end };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A key that stands twice at the top level of valid JSON, which JSON.parse does not tell; else null. */
function repeatedKey(json: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  let start = -1;
  for (let i = 0; i < json.length; i++) {
    const c = json[i]!;
    if (c === '"') {
      start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
    } else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === ':' && depth === 1) {
      const key = JSON.parse(json.slice(start, json.lastIndexOf('"', i) + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return null;
}
