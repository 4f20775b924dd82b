import { fillNormal } from '../../model/philox.ts';
import { sizeOf, type PlanMesh } from '../mesh.ts';

/**
 * How much longer kernels take on each replica's stages than on the typical GPU: speeds are drawn for every GPU of the mesh
 * from a log-normal distribution, and the slowest of those that share a layer (tensor × context) holds the others.
 * By replica, then by stage; the same seed gives the same machine.
 */
export function slowestOfStages(mesh: PlanMesh, spread: number, seed: number): Float64Array[] {
  const logarithms = new Float32Array(sizeOf(mesh));
  fillNormal(logarithms, spread, seed, 0);
  const together = mesh.tensor * mesh.context;
  return Array.from({ length: mesh.data }, (_, replica) =>
    Float64Array.from({ length: mesh.pipeline }, (__, stage) => {
      const first = (replica * mesh.pipeline + stage) * together;
      return Math.exp(Math.max(...logarithms.subarray(first, first + together)));
    }),
  );
}
