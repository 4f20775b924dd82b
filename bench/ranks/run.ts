import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compiledModule } from '../../core/root.ts';
import { alone } from '../../trainer/collectives/alone.ts';
import { createWorldMemory, type SharedWorld } from '../../trainer/collectives/shared-memory/memory.ts';
import { runRanks } from '../../trainer/parallel/launch/launcher.ts';
import { ranksOf } from '../../trainer/parallel/mesh.ts';
import { fixtureMailbox, runFixture, type Course, type Fixture } from './fixture.ts';

/** What each rank is told. */
export interface FixtureOrder {
  fixture: Fixture;
  place: SharedWorld;
  /** Where rank 0 leaves the course, as JSON. */
  out: string;
}

/** The course of a fixture of one rank in a process of its own: several can run at once. */
export async function inProcessOf(fixture: Fixture): Promise<Course> {
  return overProcesses(fixture, compiledModule('bench/ranks/rank'));
}

/** The course of a fixture over processes on this machine, or in this one where there is one rank. `module`: another build. */
export async function courseOf(fixture: Fixture, { module }: { module?: string } = {}): Promise<Course> {
  if (ranksOf(fixture.parallel.mesh) === 1 && !module) return runFixture(fixture, alone());
  return overProcesses(fixture, module ?? compiledModule('bench/ranks/rank'));
}

async function overProcesses(fixture: Fixture, module: string): Promise<Course> {
  const ranks = ranksOf(fixture.parallel.mesh);
  const memory = createWorldMemory(ranks, { mailbox: fixtureMailbox(fixture) });
  const folder = mkdtempSync(join(tmpdir(), 'garner-fixture-'));
  try {
    const order: FixtureOrder = { fixture, place: memory.place, out: join(folder, 'course.json') };
    await runRanks({
      module,
      ranks,
      order,
      fds: [memory.place.fd],
      reports: { progress: () => {}, notice: () => {} },
    });
    return JSON.parse(readFileSync(order.out, 'utf8')) as Course;
  } finally {
    memory.close();
    rmSync(folder, { recursive: true });
  }
}
