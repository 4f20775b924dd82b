import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDead, ownTag, processOf } from '../machine.ts';

/** What lies longer than this belongs to nobody [ms]. */
const FORGOTTEN_MS = 7 * 24 * 3_600_000;

let counter = 0;

/** A folder for the unfinished files of one task: nobody else, on this host or another, has the same. */
export const temporaryFolder = (lake: string, what: string): string =>
  join(lake, '.tmp', `${ownTag}-${counter++}-${what}`);

/**
 * Removes what killed processes have left in the lake's `.tmp`, and half-written manifests: only what is certainly nobody's. A task on another host
 * may still run for a coordinator that is gone; of those, what has not changed for a week goes.
 */
export async function sweepTemporary(lake: string): Promise<void> {
  for (const beside of ['', 'recipes']) sweepHalfWritten(join(lake, beside));
  const folder = join(lake, '.tmp');
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  if (names.length === 0) return;
  const now = fileSystemTime(folder);
  for (const name of names) {
    const owner = processOf(name);
    const changed = statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? now;
    // Names without an owner are those of "garner gc", which holds the same lock as whoever sweeps.
    if (owner === null || isDead(owner) || now - changed > FORGOTTEN_MS)
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Removes from a folder the half-written files of processes that have certainly ended. */
export function sweepHalfWritten(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const owner = name.includes('.tmp-') ? processOf(name) : null;
    if (owner && isDead(owner)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** What a file written now is dated: the clocks of two hosts may differ, the file system has one. */
function fileSystemTime(folder: string): number {
  const probe = join(folder, `${ownTag}-clock`);
  writeFileSync(probe, '');
  try {
    return statSync(probe).mtimeMs;
  } finally {
    rmSync(probe, { force: true });
  }
}
