import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { GarnerError } from '../../../core/errors.ts';
import { garnerVersion, packageRoot } from '../../../core/root.ts';
import type { Launch } from './environment.ts';
import { hostName, processRoom } from './hosts.ts';

/** What a rank says of itself when it comes. */
export const member = z.strictObject({
  rank: z.int().min(0).max(1_000_000),
  ranks: z.int().min(1).max(1_000_000),
  host: z.string().max(255),
  /** Equal for ranks that can share memory. */
  room: z.string().max(512),
  pid: z.int().min(1),
  /** Cores of its host, and those that its launcher lets it use. */
  cores: z.int().min(1),
  own: z.int().min(1),
  mpi: z.boolean(),
  /** What must be the same on all ranks, by name. */
  digests: z.record(z.string().max(40), z.string().max(100)),
});
export type Member = z.output<typeof member>;

/** This process as a member. */
export const memberOf = (launch: Launch, digests: Record<string, string>): Member => ({
  rank: launch.rank,
  ranks: launch.ranks,
  host: hostName(),
  room: processRoom(),
  pid: process.pid,
  cores: cpus().length,
  own: availableParallelism(),
  mpi: launch.mpi,
  digests,
});

/** Digest of what runs: the version, and each compiled module and C file that a training may touch. */
export function codeDigest(root: string = packageRoot): string {
  const hash = createHash('sha256').update(garnerVersion);
  for (const folder of ['dist/core', 'dist/tokenizer', 'dist/trainer', 'trainer'].filter((f) =>
    existsSync(join(root, f)),
  ))
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).toSorted())
      if (/\.(js|c|h)$/.test(name)) hash.update(`\0${name}\0`).update(readFileSync(join(root, folder, name)));
  return hash.digest('hex').slice(0, 16);
}

const HINTS: Record<string, string> = {
  code: 'install the same version of garner on all hosts',
  node: 'install the same version of Node on all hosts',
  recipe: 'start all ranks with the same recipe and options',
  shards: 'let all hosts see the same lake',
};

/** Throws a GarnerError that names the first thing in which ranks differ, and which ranks. */
export function checkAlike(members: readonly Pick<Member, 'rank' | 'host' | 'digests'>[]): void {
  const names = [...new Set(members.flatMap((m) => Object.keys(m.digests)))];
  for (const name of names) {
    const holders = new Map<string, (typeof members)[number][]>();
    for (const m of members) {
      const value = m.digests[name] ?? 'nothing';
      holders.set(value, [...(holders.get(value) ?? []), m]);
    }
    if (holders.size === 1) continue;
    const said = [...holders].map(
      ([value, who]) =>
        `${nameRanks(who.map((m) => m.rank))} (${who[0]!.host}) ${who.length > 1 ? 'have' : 'has'} ${value}`,
    );
    throw new GarnerError({
      what: `the ranks differ in their ${name}: ${said.slice(0, 4).join(', ')}`,
      where: 'ranks',
      hint: HINTS[name] ?? 'start all ranks alike',
      fault: 2,
    });
  }
}

/** `rank 3`, `ranks 1, 2, 5 … 9`: whole runs are shortened, and a long list is cut. */
export function nameRanks(ranks: readonly number[]): string {
  const sorted = ranks.toSorted((a, b) => a - b);
  const runs: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (sorted[j + 1] === sorted[j]! + 1) j++;
    if (j - i >= 3) runs.push(`${sorted[i]} … ${sorted[j]}`);
    else for (let k = i; k <= j; k++) runs.push(String(sorted[k]));
    i = j + 1;
  }
  const shown = runs.length > 12 ? [...runs.slice(0, 12), '…'] : runs;
  return `rank${sorted.length === 1 ? '' : 's'} ${shown.join(', ')}`;
}
