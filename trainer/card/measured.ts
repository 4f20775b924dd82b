import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findGpu } from '../plan/gpus.ts';

/** What a run has cost on the machine that trained it. Seconds are measured; energy and money are estimates from them. */
export interface Cost {
  /** Σ over the steps, without measurements and checkpoints. */
  seconds: number;
  steps: number;
  /** Median. */
  tokensPerSecond: number;
  /** Core-hours where all cores of the ranks are counted. */
  coreHours: number;
  estimated: { kilowattHours: number; dollars: number; wattsPerCore: number; dollarsPerCoreHour: number };
}

/** From a run's timing.jsonl up to a step; null where there is none. */
export function costOf(runFolder: string, step: number): Cost | null {
  const path = join(runFolder, 'timing.jsonl');
  if (!existsSync(path)) return null;
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line): Timing[] => {
      try {
        const row = JSON.parse(line) as Timing;
        return row.step <= step && row.seconds > 0 ? [row] : [];
      } catch {
        return [];
      }
    });
  if (rows.length === 0) return null;
  const seconds = rows.reduce((sum, r) => sum + r.seconds, 0);
  const coreHours = rows.reduce((sum, r) => sum + r.seconds * (r.ranks ?? 1) * (r.threads ?? 1), 0) / 3600;
  const speeds = rows.map((r) => r.tokens_per_second).toSorted((a, b) => a - b);
  const core = findGpu('cpu');
  return {
    seconds,
    steps: rows.length,
    tokensPerSecond: speeds[speeds.length >> 1]!,
    coreHours,
    estimated: {
      kilowattHours: (coreHours * core.power) / 1000,
      dollars: coreHours * core.price,
      wattsPerCore: core.power,
      dollarsPerCoreHour: core.price,
    },
  };
}

interface Timing {
  step: number;
  seconds: number;
  tokens_per_second: number;
  ranks?: number;
  threads?: number;
}
