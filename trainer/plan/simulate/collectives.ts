import type { Gpu } from '../gpus.ts';
import { LINK, NETWORK, PROTOCOLS, SWITCH } from './constants.ts';

/** GPUs that speak to each other: how many, and how many of them share a host. */
export interface Members {
  ranks: number;
  aHost: number;
}

const hostsOf = ({ ranks, aHost }: Members): number => Math.ceil(ranks / aHost);

/** Bytes a second of a ring through a group: inside a host its links; across hosts as many network ports as members, no more than the links give. */
function ringBandwidth(gpu: Gpu, members: Members): number {
  const links = gpu.link * LINK;
  return hostsOf(members) === 1 ? links : Math.min(links, members.aHost * gpu.network * NETWORK);
}

/** Seconds that a network hop of a group of so many hosts takes beyond one through a single switch. */
const switching = (hosts: number): number => SWITCH.latency * SWITCH.levels.filter((level) => hosts > level).length;

/**
 * Seconds of a reduce-scatter or all-gather over a ring, S = bytes of the whole buffer: (n − 1) hops + (n − 1)/n · S / bandwidth,
 * with the protocol of NCCL's that is fastest. Hops between hosts take longer, the more so the larger the network.
 */
export function scatterTime(gpu: Gpu, members: Members, bytes: number): number {
  if (members.ranks === 1 || bytes === 0) return 0;
  const { ranks } = members;
  const hosts = hostsOf(members);
  const between = hosts === 1 ? 0 : hosts - 1;
  const bandwidth = ringBandwidth(gpu, members);
  const times = PROTOCOLS.map((protocol) => {
    const hops = (ranks - 1 - between) * protocol.link + between * (protocol.network + switching(hosts));
    return protocol.base + hops + (((ranks - 1) / ranks) * bytes) / (bandwidth * protocol.rate);
  });
  return Math.min(...times);
}

/** Seconds of an all-reduce: a ring (a reduce-scatter and an all-gather), or the double binary tree where that is faster. */
export function reduceTime(gpu: Gpu, members: Members, bytes: number): number {
  if (members.ranks === 1 || bytes === 0) return 0;
  const hosts = hostsOf(members);
  const depth = Math.ceil(Math.log2(hosts));
  const tree = PROTOCOLS.map((protocol) => {
    const hops = (members.ranks / hosts - 1) * protocol.link + depth * (protocol.network + switching(hosts));
    // NCCL takes 92 % of the ring's bandwidth for a tree.
    return protocol.base + 2 * hops + (2 * bytes) / (ringBandwidth(gpu, members) * protocol.rate * 0.92);
  });
  return Math.min(2 * scatterTime(gpu, members, bytes), ...tree);
}

/** Seconds for which a message takes the way to another GPU, and for which it travels on. */
export function messageTime(
  gpu: Gpu,
  bytes: number,
  sameHost: boolean,
  hosts: number,
): { taken: number; latency: number } {
  const simple = PROTOCOLS[2];
  const bandwidth = sameHost ? gpu.link * LINK : gpu.network * NETWORK;
  return {
    taken: bytes / bandwidth,
    latency: simple.base + (sameHost ? simple.link : simple.network + switching(hosts)),
  };
}
