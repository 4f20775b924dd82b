import { setTimeout as sleep } from 'node:timers/promises';
import { leaveHome } from './enter.ts';
import type { Launch } from './environment.ts';
import { joinMeeting, type Guest } from './guest.ts';
import { addressOf } from './hosts.ts';
import { freshSecret, givenSecret, portOf, readInvitation, writeInvitation } from './invitation.ts';
import { openMeeting, type Meeting } from './meeting.ts';
import { codeDigest, memberOf } from './member.ts';
import type { LaunchSettings } from './settings.ts';

export interface ExternalOptions {
  launch: Launch;
  settings: LaunchSettings;
  /** Where rank 0 leaves word of where it listens. */
  lake: string;
  /** Digest of the recipe as the options have changed it. */
  recipe: string;
  /** A line for the person at the terminal. */
  notice: (text: string) => void;
}

/** What must be the same before anything runs. */
const digests = (recipe: string): Record<string, string> => ({
  code: codeDigest(),
  node: `${process.version} ${process.arch}`,
  recipe,
});

/** A process that another launcher has started is one rank of one meeting. */
let here: Meeting | null = null;

/** The meeting that this process holds as rank 0; null where garner starts the ranks itself. */
export const meetingHere = (): Meeting | null => here;

/**
 * Rank 0, started by another launcher: opens the meeting of all ranks, runs `work` and ends the meeting as that ended. The
 * signal is aborted where another rank makes the work vain before it is asked anything.
 */
export async function hostRanks<T>(options: ExternalOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { launch, settings, lake, notice } = options;
  const address = addressOf(settings.interface);
  const given = givenSecret();
  const secret = given ?? freshSecret();
  const vain = new AbortController();
  const meeting = await openMeeting({
    me: memberOf(launch, digests(options.recipe)),
    secret,
    address,
    port: portOf(launch, settings, given),
    patience: settings.arrival,
    notice,
    trouble: (error) => vain.abort(error),
  });
  let remove: (() => void) | undefined;
  try {
    remove = writeInvitation(lake, launch, { port: meeting.port, secret, address });
    here = meeting;
    const made = await work(vain.signal);
    await meeting.close();
    leaveHome();
    return made;
  } catch (thrown) {
    const error: unknown = vain.signal.aborted ? vain.signal.reason : thrown;
    await meeting.close(error);
    leaveHome(error);
    throw error;
  } finally {
    here = null;
    remove?.();
  }
}

/** Any other rank: joins rank 0 and does what it asks until it has no more. Throws the GarnerError that ended the meeting. */
export async function followRanks(
  options: ExternalOptions,
  work: (guest: Guest, question: unknown) => Promise<void>,
): Promise<void> {
  const { launch, settings, lake, notice } = options;
  const guest = await joinMeeting({
    me: memberOf(launch, digests(options.recipe)),
    invitation: () => readInvitation(lake, launch, settings),
    patience: settings.arrival,
    waiting: notice,
  });
  try {
    for (let question = await guest.next(); question !== null; question = await guest.next()) {
      try {
        await work(guest, question);
      } catch (error) {
        await sleep(100);
        if (guest.gone()) await guest.next();
        guest.fail(error);
        leaveHome(error);
        throw error;
      }
    }
    leaveHome();
  } finally {
    guest.close();
  }
}
