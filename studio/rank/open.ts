import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../core/hash.ts';
import { judgementsFolder } from '../../core/lake/judgements.ts';
import { openStudio } from '../server/serve.ts';
import { openDesk, type Lease, type Progress } from './desk.ts';
import { openJournal } from './journal.ts';
import { rankPage } from './routes.ts';
import { startSampling, type Sampling, type SamplingPlan } from './sampling.ts';
import type { Task } from './tasks.ts';

/** A tab that says nothing for so long gives its task back [ms]. */
const LEASE_MS = 3 * 60_000;
/** Tasks that are sampled ahead of the judges. */
const AHEAD = 24;

export interface RankingOptions {
  lake: string;
  /** Tasks that are there already, and what is to be sampled. */
  tasks: readonly Task[];
  sample: SamplingPlan | null;
  overlap: number;
  seed: number;
  judge: string;
  guideline: string | null;
  port: number;
}

export interface Ranking {
  url: string;
  /** Lines of the journal that are no judgements [count]. */
  damaged: number;
  progress(): Progress;
  close(): Promise<void>;
}

/** Serves the ranking page over a lake's journal. Throws a GarnerError where another process writes it, or the port is in use. */
export async function openRanking(options: RankingOptions): Promise<Ranking> {
  const { lake, seed, overlap, judge } = options;
  const leasesPath = join(judgementsFolder(lake), 'leases.json');
  const desk = openDesk({ overlap, leaseMs: LEASE_MS, now: Date.now, leases: readLeases(leasesPath) });
  for (const task of options.tasks) desk.add(task);
  const journal = await openJournal(lake, (line) => desk.take(line));
  let sampling: Sampling | null = null;
  let allowed = 0;
  let closed = false;
  const goOn = () => {
    const wanted = desk.leases().length + desk.progress(judge).judgements + AHEAD;
    if (wanted > allowed) sampling?.allow(wanted - allowed);
    allowed = Math.max(allowed, wanted);
  };
  try {
    sampling = options.sample && startSampling(lake, options.sample, (task) => desk.add(task));
    const page = rankPage({
      desk,
      journal,
      seed,
      judge,
      guideline:
        options.guideline === null ? null : { text: options.guideline, hash: sha256(options.guideline).slice(0, 16) },
      coming() {
        const state = sampling?.state() ?? { left: 0, note: null };
        return { more: state.left > 0, note: state.note };
      },
      changed() {
        writeLeases(leasesPath, desk.leases());
        goOn();
      },
    });
    const studio = await openStudio({
      pages: [page],
      port: options.port,
      secret: join(judgementsFolder(lake), '.studio'),
    });
    goOn();
    return {
      url: studio.url,
      damaged: journal.damaged,
      progress: () => desk.progress(judge),
      async close() {
        if (closed) return;
        closed = true;
        sampling?.close();
        await studio.close();
        journal.close();
      },
    };
  } catch (error) {
    sampling?.close();
    journal.close();
    throw error;
  }
}

/** Leases outlive a killed server, so that no other tab is given what somebody still has before them. */
function readLeases(path: string): Lease[] {
  try {
    const found = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Lease[]) : [];
    return Array.isArray(found) ? found.filter((l) => typeof l?.task === 'string' && Number.isFinite(l.until)) : [];
  } catch {
    return [];
  }
}

function writeLeases(path: string, leases: readonly Lease[]): void {
  writeFileSync(`${path}.new`, JSON.stringify(leases));
  renameSync(`${path}.new`, path);
}
