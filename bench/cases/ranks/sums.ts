import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asset, compiledModule } from '../../../core/root.ts';
import { createWorldMemory } from '../../../trainer/collectives/shared-memory/memory.ts';
import { median, type BenchOptions, type Figure } from '../../harness.ts';
import type { SumsOrder, SumsSeen } from '../../ranks/sums.ts';

/** 100 MB. */
const FLOATS = 25_000_000;
const RANKS = 2;

/** Sums of 100 MB over two ranks that share memory, held against a lone copy of as much; and over MPI, against plain C. */
export async function* sums(options: BenchOptions): AsyncIterable<Figure> {
  yield await overMemory(options);
  const figure = overMpi(options);
  if (figure) yield figure;
}

async function overMemory({ quick }: BenchOptions): Promise<Figure> {
  const memory = createWorldMemory(RANKS, { mailbox: { floats: 16, depth: 2 } });
  const runs = quick ? 15 : 61;
  const texts = await Promise.all(
    Array.from({ length: RANKS }, (_, rank) => {
      const order: SumsOrder = { place: { ...memory.place, inherited: 3 }, rank, floats: FLOATS, runs };
      const child = spawn(process.execPath, [compiledModule('bench/ranks/sums'), JSON.stringify(order)], {
        stdio: ['ignore', 'pipe', 'inherit', memory.place.fd],
      });
      memory.expect(rank, child.pid!);
      return new Promise<string>((resolve, reject) => {
        let text = '';
        child.stdout!.on('data', (data: Buffer) => void (text += data.toString()));
        child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`a rank ended with ${code}`))));
      });
    }),
  ).finally(() => memory.close());
  const seen = JSON.parse(texts[0]!) as SumsSeen;
  const [sum, copy] = [median(seen.sums), median(seen.copies)];
  return {
    bench: 'ranks',
    case: `shared-memory allReduce of 100 MB, ${RANKS} ranks`,
    metric: 'payload',
    value: (4 * FLOATS) / sum / 1e9,
    unit: 'GB/s',
    rival: 'a lone memcpy of 100 MB',
    rivalValue: (4 * FLOATS) / copy / 1e9,
    ratio: copy / sum,
    bar: '>= 0.7',
    note: `${(1000 * Math.min(...seen.sums)).toFixed(1)} to ${(1000 * Math.max(...seen.sums)).toFixed(1)} ms; copies ${(1000 * Math.min(...seen.copies)).toFixed(1)} to ${(1000 * Math.max(...seen.copies)).toFixed(1)} ms`,
  };
}

function overMpi({ quick, say }: BenchOptions): Figure | null {
  for (const command of ['mpirun', 'mpicc']) {
    if (spawnSync(command, ['--version']).error) {
      say(`absent: ${command} (Debian packages openmpi-bin and libopenmpi-dev)`);
      return null;
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'garner-mpi-'));
  try {
    const program = join(folder, 'allreduce');
    execFileSync('mpicc', ['-O3', '-march=native', '-o', program, asset('bench/rivals/mpi-allreduce.c')]);
    const under = (command: string[]) =>
      execFileSync('mpirun', ['--allow-run-as-root', '--oversubscribe', '-n', String(RANKS), ...command], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      }).trim();
    const runs = quick ? 6 : 12;
    const times = { ours: [] as number[], theirs: [] as number[] };
    // Runs in turn, so that a busy machine disturbs both alike.
    for (let round = 0; round < (quick ? 2 : 6); round++) {
      const order: SumsOrder = { place: null, rank: 0, floats: FLOATS, runs };
      const ours = under([process.execPath, compiledModule('bench/ranks/sums'), JSON.stringify(order)]);
      times.ours.push(...(JSON.parse(ours) as SumsSeen).sums);
      const [check, ...theirs] = under([program, String(FLOATS), String(runs)]).split('\n');
      if (check !== '1 1999') throw new Error(`the C program adds otherwise: ${check}`);
      times.theirs.push(...theirs.map(Number));
    }
    const [ours, theirs] = [median(times.ours), median(times.theirs)];
    return {
      bench: 'ranks',
      case: `MPI allReduce of 100 MB, ${RANKS} ranks`,
      metric: 'time',
      value: ours,
      unit: 's',
      rival: 'MPI_Allreduce from plain C',
      rivalValue: theirs,
      ratio: ours / theirs,
      bar: '<= 1.1',
      note: `${(1000 * Math.min(...times.ours)).toFixed(0)} to ${(1000 * Math.max(...times.ours)).toFixed(0)} ms`,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
