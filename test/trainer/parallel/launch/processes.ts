import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether a process runs: one that has ended and that nobody has asked about does not. */
export const alive = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) [^Z]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** The ids of the ranks that have begun, once there are so many. */
export async function pidsIn(folder: string, ranks: number): Promise<number[]> {
  for (let i = 0; i < 400; i++) {
    const found = readdirSync(folder)
      .filter((name) => name.endsWith('.pid'))
      .toSorted()
      .map((name) => Number(readFileSync(`${folder}/${name}`, 'utf8')));
    if (found.length === ranks && found.every((pid) => pid > 0)) return found;
    await sleep(25);
  }
  throw new Error(`${ranks} ranks did not begin`);
}

/** Waits until none of them runs; false after `seconds`. */
export async function allGone(pids: readonly number[], seconds = 10): Promise<boolean> {
  for (let i = 0; i < seconds * 40; i++) {
    if (!pids.some(alive)) return true;
    await sleep(25);
  }
  return false;
}
