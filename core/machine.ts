import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { keyOf } from './hash.ts';

/** Who a process is, so that another one can tell whether it still lives: plain data for files that several hosts read. */
export interface ProcessName {
  host: string;
  /** This boot of this host, and this space of process ids: only there a process id says anything. */
  machine: string;
  pid: number;
  /** When the kernel started it [clock ticks since boot]: a process id is given again, a pair of both is not. */
  born: string;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Fields 3 and 22 of /proc/<pid>/stat; the second field is a name in parentheses that may hold anything. Empty where there is no such process, or no /proc. */
function statOf(pid: number | 'self'): { state: string; born: string } {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', born: fields[19] ?? '' };
}

function machineName(): string {
  let space = '';
  try {
    space = readlinkSync('/proc/self/ns/pid');
  } catch {
    // No Linux: the host's name has to do.
  }
  return keyOf([hostname(), read('/proc/sys/kernel/random/boot_id').trim(), space]).slice(0, 8);
}

/** This process. */
export const ownName: ProcessName = {
  host: hostname(),
  machine: machineName(),
  pid: process.pid,
  born: statOf('self').born,
};

/** The host as a cluster calls it: two nodes of Slurm may be one host. */
export const nodeName = process.env['SLURMD_NODENAME'] ?? ownName.host;

/** True only where that process ran on this machine and has certainly ended; false where it lives or nobody here can know. */
export function isDead(name: Pick<ProcessName, 'machine' | 'pid' | 'born'>): boolean {
  if (name.machine !== ownName.machine) return false;
  try {
    process.kill(name.pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === 'ESRCH';
  }
  const { state, born } = statOf(name.pid);
  // Its parent has not asked yet how it ended: in a container without an init nobody ever may.
  if (state === 'Z' || state === 'X') return true;
  return name.born !== '' && born !== '' && born !== name.born;
}

/** The process as part of a file's name; `isDead` reads it back through `processOf`. */
export const ownTag = `${ownName.machine}-${ownName.pid}-${ownName.born || '0'}`;

/** The process whose tag stands in a file's name, or null. */
export function processOf(fileName: string): Pick<ProcessName, 'machine' | 'pid' | 'born'> | null {
  const found = /(?:^|[.-])([0-9a-f]{8})-(\d+)-(\d+)(?:$|[.-])/.exec(fileName);
  return found && { machine: found[1]!, pid: Number(found[2]), born: found[3] === '0' ? '' : found[3]! };
}
