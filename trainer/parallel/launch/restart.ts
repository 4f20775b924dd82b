import { AGAIN, GarnerError } from '../../../core/errors.ts';
import { describeMesh, ranksOf, type Mesh } from '../mesh.ts';
import { RanksEnded } from './launcher.ts';
import { stopRequested } from './stop.ts';

/** The next mesh after a rank's death: of fewer ranks where there is one, else the same again. */
export function nextMesh(mesh: Mesh, meshFor: (ranks: number) => Mesh | null): Mesh {
  for (let ranks = ranksOf(mesh) - 1; ranks >= 1; ranks--) {
    const smaller = meshFor(ranks);
    if (smaller) return smaller;
  }
  return mesh;
}

/**
 * Runs an attempt, and where ranks die in it up to `restarts` more, each on the next mesh; an attempt goes on from the last
 * checkpoint by itself. An error that names what a person must do is not tried again.
 */
export async function withRestarts(
  options: {
    restarts: number;
    mesh: Mesh;
    meshFor: (ranks: number) => Mesh | null;
    notice: (text: string) => void;
  },
  attempt: (mesh: Mesh) => Promise<void>,
): Promise<Mesh> {
  let { mesh } = options;
  for (let left = options.restarts; ; left--) {
    try {
      await attempt(mesh);
      return mesh;
    } catch (error) {
      if (!(error instanceof RanksEnded)) throw error;
      if (stopRequested()) throw stopInstead(error);
      if (left === 0) throw error;
      mesh = nextMesh(mesh, options.meshFor);
      options.notice(againWith(error, mesh, left - 1));
    }
  }
}

/** Who was asked to stop anyway does not start again: the one who asked will. */
const stopInstead = (error: GarnerError): GarnerError =>
  new GarnerError({ what: error.message, hint: 'the same command goes on from the last checkpoint', fault: AGAIN });

const againWith = (error: GarnerError, mesh: Mesh, left: number): string =>
  `${error.message}; it goes on from the last checkpoint with ${describeMesh(mesh)} (${left === 0 ? 'the last restart' : `${left} more restart${left === 1 ? '' : 's'}`})`;

/** The same mesh over fewer ranks: with fewer data ranks, since the others cut the model; null where that does not come out even, or `fits` refuses it. */
export function meshOfFewer(mesh: Mesh, ranks: number, fits: (mesh: Mesh) => boolean): Mesh | null {
  const smaller = { ...mesh, data: ranks / (mesh.tensor * mesh.pipeline) };
  return Number.isInteger(smaller.data) && smaller.data >= 1 && fits(smaller) ? smaller : null;
}
