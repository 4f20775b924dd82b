import { GarnerError } from '../../core/errors.ts';

/** How the ranks of a training share its work: ranks = data · tensor · pipeline. */
export interface Mesh {
  /** Ranks that take parts of each batch. */
  data: number;
  /** Ranks that take parts of each matrix. */
  tensor: number;
  /** Ranks that take some of the layers. */
  pipeline: number;
}

/** Where a rank stands in a mesh, each from 0. */
export type Place = Mesh;

export type Axis = keyof Mesh;

/** Axes from the one whose neighbours are closest: tensor ranks speak the most, pipeline ranks the least (Megatron's tp-dp-pp). */
const AXES: readonly Axis[] = ['tensor', 'data', 'pipeline'];

export const ranksOf = (mesh: Mesh): number => mesh.data * mesh.tensor * mesh.pipeline;

/** The place of a rank: rank = tensor + T · (data + D · pipeline). */
export const placeOf = (rank: number, mesh: Mesh): Place => ({
  tensor: rank % mesh.tensor,
  data: Math.floor(rank / mesh.tensor) % mesh.data,
  pipeline: Math.floor(rank / (mesh.tensor * mesh.data)),
});

export const rankAt = (place: Place, mesh: Mesh): number =>
  place.tensor + mesh.tensor * (place.data + mesh.data * place.pipeline);

/** The groups along an axis: ranks that differ in it alone, each list in the order of the axis. */
export function groupsAlong(axis: Axis, mesh: Mesh): number[][] {
  const groups = new Map<string, number[]>();
  for (let rank = 0; rank < ranksOf(mesh); rank++) {
    const place = placeOf(rank, mesh);
    const others = AXES.filter((a) => a !== axis)
      .map((a) => place[a])
      .join();
    groups.set(others, [...(groups.get(others) ?? []), rank]);
  }
  return [...groups.values()];
}

/** Reads `data=2,tensor=2,pipeline=2`; axes that are not named are 1. Throws a GarnerError. */
export function parseMesh(text: string): Mesh {
  const wrong = (what: string) =>
    new GarnerError({ what, where: '--mesh', hint: 'for example --mesh data=2,tensor=2,pipeline=2', fault: 2 });
  const mesh: Mesh = { data: 1, tensor: 1, pipeline: 1 };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const [, axis, size] = /^(\w+)=([1-9]\d{0,3})$/.exec(part.trim()) ?? [];
    if (axis === undefined || !Object.hasOwn(mesh, axis)) throw wrong(`"${part}" is no axis and size`);
    if (seen.has(axis)) throw wrong(`${axis} stands twice`);
    seen.add(axis);
    mesh[axis as Axis] = Number(size);
  }
  return mesh;
}

/** `data 2 × tensor 2`: the axes that split anything. */
export const describeMesh = (mesh: Mesh): string =>
  (['data', 'tensor', 'pipeline'] as const)
    .filter((axis) => mesh[axis] > 1)
    .map((axis) => `${axis} ${mesh[axis]}`)
    .join(' × ') || 'one rank';
