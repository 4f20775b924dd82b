import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../../core/files.ts';
import type { World } from '../collectives/group.ts';

/**
 * Numbers that are worked out once in a run: read from `scratch/<name>` where rank 0 has kept them, else made by all ranks together
 * and kept. The same on every rank.
 */
export async function keptNumbers(
  { scratch, world }: { scratch: string; world: World },
  name: string,
  count: number,
  make: () => Float64Array,
): Promise<Float64Array> {
  const path = join(scratch, name);
  const kept = world.rank === 0 ? read(path, count) : null;
  if (world.sum([kept ? 1 : 0])[0] === 0) {
    const made = make();
    if (world.rank === 0) await writeAtomically(path, Buffer.from(made.buffer, made.byteOffset, made.byteLength));
    return made;
  }
  const numbers = kept ?? new Float64Array(count);
  if (count > 0) world.broadcast(numbers, 0);
  return numbers;
}

/** The file appears whole or not at all; another length belongs to another version. */
function read(path: string, count: number): Float64Array | null {
  if (!existsSync(path)) return null;
  const bytes = readFileSync(path);
  return bytes.length === 8 * count
    ? new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    : null;
}
