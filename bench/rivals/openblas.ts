// A process of its own: OpenBLAS on one thread, asked over IPC. Its threads and settings never meet ours.
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const PLACES = [
  '/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0',
  '/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0',
  '/usr/lib/aarch64-linux-gnu/openblas-openmp/libopenblas.so.0',
  '/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0',
  '/usr/lib64/libopenblas.so.0',
  '/usr/lib/libopenblas.so.0',
];

interface Question {
  size: number;
  repeats: number;
}
interface Answer {
  seconds: number;
  /** Some elements of the product. */
  sample: number[];
}

export interface OpenBlas {
  library: string;
  multiply(question: Question): Promise<Answer>;
  close(): void;
}

/** Numbers that both sides multiply: whole and small, so that a product is exact whatever the order of the sum. */
export function fillOperands(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) {
    a[i] = ((i * 7919) % 17) - 8;
    b[i] = ((i * 104729) % 13) - 6;
  }
}

/** Places of a product that are compared. */
export const samplePlaces = (size: number): number[] =>
  Array.from({ length: 64 }, (_, i) => (i * 2654435761) % (size * size));

/** Starts the rival, or null where OpenBLAS is not installed. */
export function openBlas(): OpenBlas | null {
  const library = PLACES.find(existsSync);
  if (!library) return null;
  const env: NodeJS.ProcessEnv = { ...process.env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' };
  delete env['OPENBLAS_CORETYPE']; // it would choose another processor's kernels
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [library], { env });
  return {
    library,
    multiply: (question) =>
      new Promise((resolve, reject) => {
        const ended = (code: number | null) => reject(new Error(`the OpenBLAS process ended with ${code}`));
        child.once('exit', ended);
        child.once('message', (answer) => {
          child.off('exit', ended);
          resolve(answer as Answer);
        });
        child.send(question);
      }),
    close: () => void child.kill(),
  };
}

const ROW_MAJOR = 101;
const PLAIN = 111;

function serve(library: string): void {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: string): { func(prototype: string): (...args: unknown[]) => void };
  };
  const sgemm = koffi
    .load(library)
    .func(
      'void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, void *a, int lda, void *b, int ldb, float beta, void *c, int ldc)',
    );
  const held = new Map<number, Float32Array[]>();
  process.on('message', ({ size, repeats }: Question) => {
    if (!held.has(size)) {
      const made = Array.from({ length: 3 }, () => new Float32Array(size * size));
      fillOperands(made[0]!, made[1]!);
      held.set(size, made);
    }
    const [a, b, c] = held.get(size)!;
    const started = performance.now();
    for (let i = 0; i < repeats; i++) sgemm(ROW_MAJOR, PLAIN, PLAIN, size, size, size, 1, a, size, b, size, 0, c, size);
    const seconds = (performance.now() - started) / 1000;
    process.send!({ seconds, sample: samplePlaces(size).map((p) => c![p]!) } satisfies Answer);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send) serve(process.argv[2]!);
