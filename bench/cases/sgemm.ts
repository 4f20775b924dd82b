import { openCpu } from '../../trainer/engines/cpu/engine.ts';
import { linear } from '../../trainer/ops/linear/op.ts';
import type { Tensor } from '../../trainer/ops/define.ts';
import { differentiate } from '../../trainer/program/differentiate.ts';
import { record } from '../../trainer/program/record.ts';
import { defineBench, median, type Figure } from '../harness.ts';
import { fillOperands, openBlas, samplePlaces } from '../rivals/openblas.ts';

/** Many short runs in turn: a busy machine then disturbs both alike. */
const RUNS = 61;
const FLOPS_A_RUN = 2e9;
const SIZES = [512, 1024];

export default defineBench({
  name: 'sgemm',
  limit: 'FMA units: vectors × 2 FLOPs × clock; the product of two n × n matrices is 2n³ FLOPs, float32, one thread',
  async *run({ quick, say }) {
    const engine = openCpu(1);
    if (!engine) return void say('absent: a C compiler');
    const rival = openBlas();
    if (rival) say(`rival: ${rival.library}`);
    else say('absent: OpenBLAS (Debian package libopenblas0-openmp)');
    try {
      for (const size of SIZES) {
        const ours = product(engine, size);
        const repeats = Math.max(1, Math.round(FLOPS_A_RUN / (2 * size ** 3)));
        const flops = 2 * size ** 3 * repeats;
        const rates = { ours: [] as number[], theirs: [] as number[] };
        ours.run();
        const theirs = await rival?.multiply({ size, repeats: 1 });
        if (theirs && theirs.sample.some((value, i) => value !== ours.result[samplePlaces(size)[i]!]))
          throw new Error(`the products of ${size} × ${size} differ`);
        for (let run = 0; run < (quick ? 21 : RUNS); run++) {
          const started = performance.now();
          for (let i = 0; i < repeats; i++) ours.run();
          rates.ours.push(flops / ((performance.now() - started) / 1000) / 1e9);
          const answer = await rival?.multiply({ size, repeats });
          if (answer) rates.theirs.push(flops / answer.seconds / 1e9);
        }
        const value = median(rates.ours);
        const spread = `${Math.min(...rates.ours).toFixed(1)} to ${Math.max(...rates.ours).toFixed(1)}`;
        const figure: Figure = {
          bench: 'sgemm',
          case: `${size} × ${size}, one thread`,
          metric: 'rate',
          value,
          unit: 'GFLOP/s',
          rival: 'OpenBLAS',
          note: spread,
        };
        if (!rival) yield figure;
        else {
          const rivalValue = median(rates.theirs);
          yield { ...figure, rivalValue, ratio: value / rivalValue, bar: '>= 0.8' };
        }
      }
    } finally {
      rival?.close();
      engine.close();
    }
  },
});

/** C = A·B through the engine as a model runs it: the input gradient of a linear layer is a product without transposition. */
function product(engine: NonNullable<ReturnType<typeof openCpu>>, size: number) {
  const square = (name: string, zone: Tensor['zone']): Tensor => ({ name, shape: [size, size], type: 'f32', zone });
  const [x, w, dy] = [square('x', 'inputs'), square('w', 'weights'), square('dy', 'activations')];
  const { tape, result } = record(() => linear({ x, w }));
  const { calls } = differentiate(tape, { weightGradient: () => w, seeds: new Map([[result.y, dy]]) });
  const call = calls.find(({ kernel }) => kernel.name === 'linear_backward_input')!;
  const memory = () => {
    const { buffer, byteOffset } = engine.allocate(size * size * 4);
    return new Float32Array(buffer, byteOffset, size * size);
  };
  const [output, a, b] = [memory(), memory(), memory()];
  fillOperands(a, b);
  const run = engine.bind([{ ...call, views: [output, a, b] }]);
  return { run, result: output };
}
