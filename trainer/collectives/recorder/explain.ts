import type { Flight, RankFlight, RecordedCall } from './read.ts';

/** A rank is a straggler when its own work takes so many times the median. */
const SLOW = 1.1;
const STEPS = 10;

/** What a flight recorder says, in a few lines for a person: who did not come to what, who is out of step, who is slow. */
export function explainRecorder({ ranks }: Flight): string[] {
  const absent = ranks.filter(({ pid }) => pid === null).map(({ rank }) => rank);
  const lines = absent.length ? [`${named(absent)} never came`] : [];
  lines.push(...waitingLines(ranks), ...stragglers(ranks));
  if (lines.length) return lines;
  const last = ranks.map(({ calls }) => calls.at(-1)).find(Boolean);
  return [last ? `every call that a rank began has ended; the last is ${words(last)}` : 'no rank has begun a call'];
}

const words = ({ call, sequence, count, type, group, members }: RecordedCall): string =>
  `${call} #${sequence}${call === 'barrier' ? '' : ` of ${count} ${type}`}${group === 0 ? '' : ` of the group of ${named(members)}`}`;

const named = (ranks: readonly number[]): string =>
  `rank${ranks.length === 1 ? '' : 's'} ${ranks.length > 12 ? `${ranks.slice(0, 8).join(', ')} … ${ranks.at(-1)}` : ranks.join(', ')}`;

const isMessage = ({ peer }: RecordedCall): boolean => peer !== null;

/** Calls that have not ended, each once: who is there, who is not, who is at another. */
function waitingLines(ranks: readonly RankFlight[]): string[] {
  const lines: string[] = [];
  const open = new Map<string, { call: RecordedCall; there: number[] }>();
  for (const { rank, calls } of ranks) {
    for (const call of calls) {
      if (call.seconds !== null) continue;
      if (isMessage(call)) {
        const what = call.call === 'send' ? `for rank ${call.peer} to read` : `for rank ${call.peer} to send`;
        lines.push(
          `rank ${rank} waits since ${call.at} ${what} message #${call.sequence} of ${call.count} ${call.type}`,
        );
        continue;
      }
      const key = `${call.group} ${call.sequence} ${call.call} ${call.count} ${call.type}`;
      const same = open.get(key);
      if (same) same.there.push(rank);
      else open.set(key, { call, there: [rank] });
    }
  }
  // Who did not come to a call did not come to those that the others had begun after it: one line says it.
  const told = new Set<string>();
  for (const { call, there } of [...open.values()].toSorted((a, b) => a.call.sequence - b.call.sequence)) {
    const at = (rank: number) =>
      ranks[rank]!.calls.find((c) => !isMessage(c) && c.group === call.group && c.sequence === call.sequence);
    const missing = call.members.filter((rank) => !at(rank) && !isPast(ranks[rank]!, call));
    const absent = `${call.group} ${missing.join()}`;
    if (missing.length > 0 && !told.has(absent)) {
      told.add(absent);
      const began = `${named(there)} ${there.length === 1 ? 'is' : 'are'} there since ${call.at}`;
      lines.push(
        `${named(missing)} did not come to ${words(call)}: ${began}${missing.map((r) => lastOf(ranks[r]!)).join('')}`,
      );
    }
    for (const rank of call.members) {
      const other = at(rank);
      if (
        other &&
        (other.call !== call.call || other.count !== call.count || other.type !== call.type) &&
        rank > there[0]!
      )
        lines.push(`rank ${rank} is at ${words(other)}, rank ${there[0]} at ${words(call)}`);
    }
  }
  return lines;
}

/** The call has fallen out of a rank's last ones. */
const isPast = ({ calls }: RankFlight, { group, sequence }: RecordedCall): boolean =>
  calls.some((c) => !isMessage(c) && c.group === group && c.sequence > sequence);

function lastOf({ rank, calls, left }: RankFlight): string {
  const last = calls.at(-1);
  const end = left ? ', then left' : '';
  return last ? `; the last of rank ${rank} was ${words(last)} at ${last.at}${end}` : '';
}

/** Ranks whose own work, the step without its waiting, is slow over the last steps that all have noted. */
function stragglers(ranks: readonly RankFlight[]): string[] {
  if (ranks.length < 2) return [];
  const numbers = ranks.map(({ steps }) => new Set(steps.map(({ step }) => step)));
  const common = [...numbers[0]!].filter((step) => numbers.every((set) => set.has(step))).slice(-STEPS);
  if (common.length < STEPS) return [];
  const own = ranks.map(
    ({ steps }) =>
      steps.filter(({ step }) => common.includes(step)).reduce((sum, s) => sum + s.seconds - s.waited, 0) / STEPS,
  );
  const sorted = own.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return own.flatMap((seconds, r) =>
    seconds > SLOW * median
      ? [
          `rank ${ranks[r]!.rank} is slow: ${seconds.toPrecision(3)} s of own work a step over ${STEPS} steps, the median is ${median.toPrecision(3)} s`,
        ]
      : [],
  );
}
