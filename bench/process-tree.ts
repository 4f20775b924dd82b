import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process and all below it [bytes], browsers left out. Linux only: read from /proc. */
export function treeMemory(root: number, leaveOut = /chrom/i): number {
  const children = new Map<number, number[]>();
  const resident = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
      const pid = Number(entry);
      const parent = Number(field('PPid'));
      children.set(parent, [...(children.get(parent) ?? []), pid]);
      resident.set(pid, leaveOut.test(field('Name')) ? 0 : Number(field('VmRSS')) * 1024);
    } catch {
      // The process has ended in between.
    }
  }
  let sum = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    sum += resident.get(pid) ?? 0;
    open.push(...(children.get(pid) ?? []));
  }
  return sum;
}
