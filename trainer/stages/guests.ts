import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { GarnerError } from '../../core/errors.ts';
import { keyOf } from '../../core/hash.ts';
import { damage, readMarker } from '../../core/stage/marker.ts';
import type { Inputs } from '../../core/stage/index.ts';
import { RankLost, type World, type WorldOptions } from '../collectives/group.ts';
import { createWorldMemory } from '../collectives/shared-memory/memory.ts';
import { enterHome, type Entry } from '../parallel/launch/enter.ts';
import type { Guest } from '../parallel/launch/guest.ts';
import { chooseHome, type HomeName } from '../parallel/launch/home.ts';
import type { Meeting } from '../parallel/launch/meeting.ts';
import { checkAlike } from '../parallel/launch/member.ts';
import { launchSettings } from '../parallel/launch/settings.ts';
import type { TrainingOrder } from './ranks.ts';

/** A file of another host's may come into sight so late on a network file system [s]. */
const IN_SIGHT = 45;

/** The two questions that rank 0 asks for each training: whether all see the same data, and then to train. */
type Question = { prepare: TrainingOrder } | { enter: Entry };

const seen = z.strictObject({ inputs: z.string().max(500) });

/** What this rank sees of a training's inputs: a digest of their files, or the first that is missing, in words. */
export async function inputsSeen(lake: string, inputs: Inputs, patience = IN_SIGHT): Promise<string> {
  for (let left = patience; ; left--) {
    let trouble: string | null = null;
    const files = Object.values(inputs).flatMap((outputs) =>
      outputs.map(({ stage, unit, key }) => {
        const marker = readMarker(lake, stage, unit, key);
        trouble ??= marker === null ? `${stage} ${key} is missing` : damage(lake, marker);
        return marker?.files;
      }),
    );
    if (trouble === null) return keyOf(files);
    if (left <= 0) return trouble;
    await sleep(1000);
  }
}

/**
 * Rank 0's side where another launcher has started the ranks: all must see the same data; then all enter, and `train` runs
 * here while the others do the same. Throws the GarnerError of the rank that failed first.
 */
export async function trainWithGuests(
  meeting: Meeting,
  order: TrainingOrder,
  given: { wanted: HomeName | undefined; ranks: number; mailbox: WorldOptions['mailbox']; recorder: string },
  train: (world: World) => Promise<void>,
): Promise<void> {
  const members = await meeting.gather();
  if (members.length !== given.ranks)
    throw new GarnerError({
      what: `the mesh has ${given.ranks} ranks, ${members.length} were started`,
      where: 'ranks',
      hint: 'start as many ranks as the mesh has',
      fault: 2,
    });
  const home = chooseHome(members, given.wanted);
  const [mine, ...others] = await Promise.all([
    inputsSeen(order.lake, order.inputs),
    meeting.ask({ prepare: order } satisfies Question).then((answers) => answers.map((a) => seen.parse(a).inputs)),
  ]).then(([own, theirs]) => [own, ...theirs]);
  checkAlike([mine!, ...others].map((shards, rank) => ({ rank, host: members[rank]!.host, digests: { shards } })));
  const memory = home === 'shared' ? createWorldMemory(given.ranks, given) : null;
  try {
    for (const { rank, pid } of members) memory?.expect(rank, pid);
    const { mailbox, recorder } = given;
    const entry: Entry = { home, memory: memory?.place ?? null, mailbox, recorder };
    const answers = meeting.ask({ enter: entry } satisfies Question);
    answers.catch(() => {});
    try {
      await train(enterHome(entry, 0, launchSettings()));
    } catch (error) {
      // Another's own words say more than that it was lost.
      if (error instanceof RankLost) await Promise.race([answers, sleep(3000)]);
      throw error;
    }
    await answers;
  } finally {
    memory?.close();
  }
}

/** Another rank's answers to both questions; `train` is its part of a training. */
export function answersOf(
  rank: number,
  train: (order: TrainingOrder, enter: () => World) => Promise<void>,
): (guest: Guest, question: unknown) => Promise<void> {
  let order: TrainingOrder | null = null;
  return async (guest, asked) => {
    // It comes from rank 0, which knows the secret and runs the same code.
    const question = asked as Question;
    if ('prepare' in question) {
      order = question.prepare;
      guest.answer({ inputs: await inputsSeen(order.lake, order.inputs) });
      return;
    }
    const { enter } = question;
    await train(order!, () => enterHome(enter, rank, launchSettings()));
    guest.answer(null);
  };
}
