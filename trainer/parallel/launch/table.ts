import { placeOf, ranksOf, type Mesh } from '../mesh.ts';

/** A line of `--dry-run`. */
export interface RankRow {
  rank: number;
  place: Mesh;
  host: string;
  threads: number;
}

/** Every rank with its place, its host and its threads. */
export const rankRows = (mesh: Mesh, host: (rank: number) => string, threads: number): RankRow[] =>
  Array.from({ length: ranksOf(mesh) }, (_, rank) => ({ rank, place: placeOf(rank, mesh), host: host(rank), threads }));
