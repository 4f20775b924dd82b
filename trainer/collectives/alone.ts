import type { Group, World } from './group.ts';
import { alignedMemory } from './memory.ts';
import { checkEdges, checkMember, groupOf } from './words.ts';

/** A group of one member, rank `rank` of the world: there is nobody to speak to. */
export function aloneGroup(rank: number): Group {
  return {
    rank: 0,
    ranks: 1,
    members: [rank],
    barrier() {},
    allReduce() {},
    startAllReduce: () => () => {},
    reduceScatter: (x, edges) => checkEdges(edges, 1, x.length),
    startReduceScatter(x, edges) {
      checkEdges(edges, 1, x.length);
      return () => {};
    },
    allGather: (x, edges) => checkEdges(edges, 1, x.length),
    broadcast: (_, root) => checkMember(root, 1),
    send: (_, to) => checkMember(to, 1, 0),
    receive: (_, from) => checkMember(from, 1, 0),
    sum: (values) => [...values],
    split(groups) {
      groupOf(groups, 1, 0);
      return aloneGroup(rank);
    },
  };
}

/** A world of one rank. */
export function alone(): World {
  let reserved = false;
  return {
    ...aloneGroup(0),
    home: 'alone',
    reserve(bytes) {
      if (reserved) throw new Error('memory is reserved once a process');
      reserved = true;
      return alignedMemory(bytes, 0);
    },
    waited: () => 0,
    note() {},
    abort() {},
    close() {},
  };
}
