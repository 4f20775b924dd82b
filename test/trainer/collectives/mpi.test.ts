import { expect, test } from 'vitest';
import { GarnerError } from '../../../core/errors.ts';
import { checkLauncher } from '../../../trainer/collectives/mpi/world.ts';
import { absentMpi, runMpi } from './launch.ts';

test('srun without PMIx is one sentence, before MPI_Init aborts', () => {
  expect(() => checkLauncher({ SLURM_PROCID: '1', SLURM_NTASKS: '2' })).toThrow(GarnerError);
  try {
    checkLauncher({ SLURM_PROCID: '1' });
  } catch (error) {
    expect((error as GarnerError).hint).toContain('srun --mpi=pmix');
  }
  checkLauncher({ SLURM_PROCID: '1', PMIX_RANK: '1' });
  checkLauncher({ SLURM_PROCID: '0', OMPI_COMM_WORLD_RANK: '1' });
  checkLauncher({});
});

const absent = absentMpi();
if (absent) console.log(`skipped, faults under MPI: ${absent}`);

/** The first to end ends the others, perhaps before they have spoken. */
async function firstError(ranks: number, part: string, check: boolean, patience = 20): Promise<string> {
  const { answers, end, seconds } = await runMpi(ranks, { part, check, patience });
  expect(end).not.toBe(0);
  expect(seconds).toBeLessThan(20);
  const errors = answers.map((answer) => answer.error).filter((error) => error !== undefined);
  expect(errors.length).toBeGreaterThan(0);
  expect(new Set(errors).size).toBe(1);
  return errors[0]!;
}

test.skipIf(absent).each([
  ['wrongCall', true, 'rank 1 is at broadcast #2 of 64 f32, rank 0 at allReduce #2 of 128 f32'],
  ['wrongCount', true, 'rank 1 is at allReduce #1 of 100000 f32, rank 0 at allReduce #1 of 100001 f32'],
  ['wrongSplit', false, 'ranks 0 and 1 split their group into different ones'],
])('%s', async (part, check, what) => {
  expect(await firstError(2, part, check)).toBe(`Error: ${what}`);
});

test.skipIf(absent)('a message of another length is refused by its receiver', async () => {
  const { answers, end } = await runMpi(2, { part: 'wrongMessage' });
  expect(end).not.toBe(0);
  expect(answers.map((answer) => answer.error)).toContain(
    'Error: rank 1 expects 11 f32, and message #1 from rank 0 brings 10',
  );
});

test.skipIf(absent).each([true, false])('a rank that stays away is named by all others, checked: %s', async (check) => {
  expect(await firstError(3, 'stayAway', check, 3)).toBe(
    'Error: rank 1 did not come to allReduce #3 of 10 f32: another waited 3 s for it',
  );
});

test.skipIf(absent)('a rank that throws ends all', async () => {
  const { end, seconds, answers } = await runMpi(3, { part: 'giveUp' });
  expect(end).not.toBe(0);
  expect(seconds).toBeLessThan(15);
  expect(answers.map((answer) => answer.error)).toContain('Error: the disk is full');
});

test.skipIf(absent)('a rank that is killed ends all', async () => {
  const { end, seconds } = await runMpi(3, { part: 'dieInTheMiddle' });
  expect(end).not.toBe(0);
  expect(seconds).toBeLessThan(15);
});
