import { networkInterfaces, hostname } from 'node:os';
import { readFileSync, readlinkSync } from 'node:fs';
import { GarnerError } from '../../../core/errors.ts';

/** Most hosts or tasks that a list may unfold to: a hostile one must not fill the memory. */
const MOST = 100_000;

const odd = (what: string) =>
  new GarnerError({ what, where: 'environment', hint: 'start the ranks with srun, mpirun or torchrun', fault: 2 });

/** `node[01-04,07],login` → node01 … node04, node07, login: Slurm's list of hosts. Throws a GarnerError for what is no such list. */
export function expandHosts(list: string): string[] {
  const names: string[] = [];
  for (const name of outsideBrackets(list)) {
    if (name !== '') names.push(...unfold(name, list));
    if (names.length > MOST) throw odd(`the list of hosts "${list.slice(0, 80)}" names more than ${MOST} hosts`);
  }
  if (names.length === 0) throw odd(`"${list.slice(0, 80)}" is no list of hosts`);
  return names;
}

/** Cuts at commas; those inside brackets separate numbers, not names. */
function outsideBrackets(list: string): string[] {
  const names: string[] = [];
  let [from, inside] = [0, false];
  for (let i = 0; i <= list.length; i++) {
    if (list[i] === '[') inside = true;
    if (list[i] === ']') inside = false;
    if (i < list.length && (inside || list[i] !== ',')) continue;
    names.push(list.slice(from, i));
    from = i + 1;
  }
  return names;
}

/** One name with any number of brackets; the last bracket runs fastest. */
function unfold(name: string, list: string): string[] {
  const [, before, inside, after] = /^([^[\]]*)\[([^\]]*)\](.*)$/.exec(name) ?? [];
  if (inside === undefined) {
    if (/[[\]]/.test(name)) throw odd(`"${list.slice(0, 80)}" is no list of hosts`);
    return [name];
  }
  const ends = unfoldOrNothing(after!, list);
  const all: string[] = [];
  for (const part of inside.split(',')) {
    const [, low, high] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
    if (low === undefined) throw odd(`"${list.slice(0, 80)}" is no list of hosts`);
    const last = Number(high ?? low);
    if ((last - Number(low) + 1) * ends.length + all.length > MOST)
      throw odd(`the list of hosts "${list.slice(0, 80)}" names more than ${MOST} hosts`);
    for (let i = Number(low); i <= last; i++)
      for (const end of ends) all.push(`${before}${String(i).padStart(low.length, '0')}${end}`);
  }
  return all;
}

const unfoldOrNothing = (rest: string, list: string): string[] => (rest === '' ? [''] : unfold(rest, list));

/** `8(x2),4` → 8, 8, 4: Slurm's tasks on each node. Throws a GarnerError for what is no such list. */
export function expandTasks(list: string): number[] {
  const tasks: number[] = [];
  for (const part of list.split(',')) {
    const [, count, times] = /^(\d{1,6})(?:\(x(\d{1,6})\))?$/.exec(part.trim()) ?? [];
    if (count === undefined) throw odd(`"${list.slice(0, 80)}" is no list of tasks on each node`);
    if (tasks.length + Number(times ?? 1) > MOST) throw odd(`"${list.slice(0, 80)}" names more than ${MOST} nodes`);
    for (let i = 0; i < Number(times ?? 1); i++) tasks.push(Number(count));
  }
  return tasks;
}

/** An address of this machine: of an interface by its name, as it stands where it is an address; all interfaces without one. Throws a GarnerError that names the interfaces. */
export function addressOf(wanted: string | undefined, interfaces = networkInterfaces()): string | undefined {
  if (wanted === undefined) return undefined;
  const all = Object.entries(interfaces).flatMap(([name, list]) => (list ?? []).map((a) => ({ name, ...a })));
  const found =
    all.find((a) => a.name === wanted && a.family === 'IPv4') ??
    all.find((a) => a.name === wanted && !a.address.startsWith('fe80')) ??
    all.find((a) => a.address === wanted);
  if (found) return found.address;
  throw new GarnerError({
    what: `this machine (${hostname()}) has no interface "${wanted}"`,
    where: '--interface',
    hint: `its interfaces: ${[...new Set(all.map((a) => `${a.name} ${a.address}`))].join(', ')}`,
    fault: 2,
  });
}

/** Addresses at which other machines may reach this one, the likeliest first; its own loop last. */
export function addressesOf(interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const outward = all.filter((a) => !a.internal && !a.address.startsWith('fe80'));
  const four = outward.filter((a) => a.family === 'IPv4').map((a) => a.address);
  const six = outward.filter((a) => a.family === 'IPv6').map((a) => a.address);
  return [...new Set([...four, ...six, '127.0.0.1'])];
}

/** Names this host as its ranks see it: Slurm's name of the node where there is one, since two nodes may share a machine. */
export const hostName = (env: NodeJS.ProcessEnv = process.env): string => env['SLURMD_NODENAME'] || hostname();

/** Equal for two processes that can open each other's files in /proc: the same boot of the same kernel, in the same room of process ids. */
export function processRoom(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
