/** Calls by the numbers that headers carry; the C side has the same list. */
export const CALLS = [
  'barrier',
  'allReduce',
  'allReduce max',
  'startAllReduce',
  'reduceScatter',
  'startReduceScatter',
  'allGather',
  'broadcast',
  'send',
  'receive',
] as const;

export type Call = (typeof CALLS)[number];

/** What a member says before a collective: all must say the same. `shape` is the root, or a digest of the edges. */
export interface Header {
  call: number;
  /** 0: float32, 1: float64. */
  type: number;
  count: number;
  shape: number;
}

/** E.g. `broadcast #12 of 64 f32`. */
export const callWords = ({ call, type, count }: Header, sequence: number): string =>
  `${CALLS[call] ?? `call ${call}`} #${sequence}${call === 0 ? '' : ` of ${count} ${type === 1 ? 'f64' : 'f32'}`}`;

/** One rank is elsewhere in the program than another: the same error on every member of the group. */
export function outOfStep(sequence: number, a: Header & { rank: number }, b: Header & { rank: number }): Error {
  const same = a.call === b.call && a.type === b.type && a.count === b.count;
  const shape = (header: Header) =>
    same
      ? CALLS[header.call] === 'broadcast'
        ? ` from member ${header.shape}`
        : ` with edges of digest ${header.shape}`
      : '';
  return new Error(
    `rank ${a.rank} is at ${callWords(a, sequence)}${shape(a)}, rank ${b.rank} at ${callWords(b, sequence)}${shape(b)}`,
  );
}

/** A digest of edges for the header, below 2³². */
export function edgesDigest(edges: readonly number[]): number {
  let digest = 2166136261;
  for (const edge of edges) {
    digest = Math.imul(digest ^ (edge >>> 0), 16777619);
    digest = Math.imul(digest ^ Math.floor(edge / 2 ** 32), 16777619);
  }
  return digest >>> 0;
}

/** Throws a RangeError unless there are `ranks` + 1 ascending whole numbers within x. */
export function checkEdges(edges: readonly number[], ranks: number, length: number): void {
  const right =
    edges.length === ranks + 1 &&
    edges.every((edge, i) => Number.isInteger(edge) && edge >= (i === 0 ? 0 : edges[i - 1]!) && edge <= length);
  if (!right)
    throw new RangeError(`edges ${edges.slice(0, 9).join(', ')} do not cut ${length} elements for ${ranks} ranks`);
}

/** Throws a RangeError unless `member` is a place in a group of `ranks`, and not this one where it is another's that is asked for. */
export function checkMember(member: number, ranks: number, me = -1): void {
  if (!Number.isInteger(member) || member < 0 || member >= ranks || member === me)
    throw new RangeError(
      `member ${member} of a group of ${ranks}${member === me ? ' is this one itself' : ' does not exist'}`,
    );
}

/** Which of disjoint groups has `me`; throws a RangeError where a place is missing, doubled or unknown. */
export function groupOf(groups: readonly (readonly number[])[], ranks: number, me: number): number {
  const all = groups.flat().toSorted((a, b) => a - b);
  if (all.length !== ranks || all.some((member, i) => member !== i))
    throw new RangeError(`the groups ${JSON.stringify(groups).slice(0, 200)} do not cut ${ranks} members`);
  return groups.findIndex((group) => group.includes(me));
}
