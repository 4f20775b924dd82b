import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findCompiler } from '../../../core/native/compile.ts';
import { asset } from '../../../core/root.ts';
import { openReference } from '../../../trainer/engines/reference.ts';
import { CASES } from '../../../trainer/ops/cases.ts';
import { sizeOf, type Call, type Numbers, type Tensor } from '../../../trainer/ops/define.ts';
import { OP_FOLDERS } from '../../../trainer/ops/folders.ts';
import { differentiate } from '../../../trainer/program/differentiate.ts';
import { bytesOf, storageOf } from '../../../trainer/program/plan.ts';
import { record } from '../../../trainer/program/record.ts';
import { distance, normals } from '../ops/harness.ts';

const SOURCES = [
  'test/trainer/engines/sanitized.c',
  'trainer/engines/cpu/pool.c',
  'trainer/engines/cpu/gemm.c',
  ...OP_FOLDERS.map((folder) => `trainer/ops/${folder}/kernel.c`),
];
const folder = mkdtempSync(join(tmpdir(), 'garner-sanitized-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether this compiler can link a program with the sanitizer. */
function can(sanitizer: string, march: string): boolean {
  if (!findCompiler()) return false;
  try {
    const macros = execFileSync('cc', ['-march=native', '-dM', '-E', '-x', 'c', '/dev/null'], { encoding: 'utf8' });
    if (march !== 'native' && !macros.includes('__AVX2__')) return false;
    writeFileSync(join(folder, 'empty.c'), 'int main(void) { return 0; }\n');
    const program = join(folder, 'empty');
    execFileSync('cc', [`-fsanitize=${sanitizer}`, '-o', program, join(folder, 'empty.c')], { stdio: 'ignore' });
    execFileSync(program, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What a tensor of a case holds at the end, in float64. */
interface Wanted {
  name: string;
  type: Tensor['type'];
  bytes: number;
  values: Numbers;
  tolerance: number;
}

/** Every case of every op, forward and backward, as the C program reads it, and what the reference makes of it. */
function programs(): { count: number; bytes: Buffer; wanted: Wanted[] } {
  const reference = openReference();
  const wanted: Wanted[] = [];
  const parts: Buffer[] = [];
  const words = (...values: number[]) => parts.push(Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer));
  const cases = Object.values(CASES).flat();
  words(cases.length);
  for (const given of cases) {
    const inputs = Object.fromEntries(
      Object.entries(given.inputs).map(([name, { shape, whole }]): [string, Tensor] => [
        name,
        { name, shape, type: whole ? 'i32' : 'f32', zone: 'inputs' },
      ]),
    );
    const { tape, result } = record(() => given.call(inputs));
    const first = Object.values(result)[0]!;
    const seed: Tensor = { name: 'upstream', shape: first.shape, type: 'f32', zone: 'gradients' };
    const learns = tape.steps.every(({ op }) => 'backward' in op);
    const seeds = first.type === 'f64' ? new Map() : new Map([[first, seed]]);
    const backward = learns ? differentiate(tape, { weightGradient: () => seed, seeds }).calls : [];
    const calls: Call[] = [...tape.calls, ...backward];
    const tensors = [...new Set(calls.flatMap((c) => c.tensors.map(storageOf)))];
    const scratch = calls.map(({ kernel, numbers }) => kernel.scratch(numbers));
    const most = (key: 'shared' | 'each') => Math.max(0, ...scratch.map((s) => s[key] ?? 0));
    words(tensors.length, calls.length, most('shared'), most('each'));
    const seedOf = (name: string) => Object.keys(given.inputs).indexOf(name) + 1 || 99;
    const views = tensors.map((tensor) => {
      const bytes = bytesOf(tensor, 4);
      const size = sizeOf(tensor.shape);
      const { whole, fixed, scale } = given.inputs[tensor.name] ?? {};
      const values = fixed ?? whole;
      const numbers = values
        ? Float64Array.from({ length: size }, (_, i) => values(i))
        : normals(size, seedOf(tensor.name), scale);
      words(bytes);
      const made = tensor.type === 'i32' ? Int32Array : tensor.type === 'f64' ? Float64Array : Float32Array;
      parts.push(Buffer.from(made.from(numbers).buffer));
      const view = tensor.type === 'i32' ? Int32Array.from(numbers) : Float64Array.from(numbers);
      const name = `${given.name}: ${tensor.name}`;
      wanted.push({ name, type: tensor.type, bytes, values: view, tolerance: given.tolerance ?? 2e-6 });
      return view;
    });
    const viewOf = (tensor: Tensor) => views[tensors.indexOf(storageOf(tensor))]!;
    reference.bind(calls.map((call) => ({ ...call, views: call.tensors.map(viewOf) })))();
    for (const { kernel, tensors: used, adds, numbers } of calls) {
      parts.push(Buffer.from(kernel.name.padEnd(32, '\0')));
      words(adds, ...Array.from({ length: 12 }, (_, i) => (used[i] ? tensors.indexOf(storageOf(used[i])) : -1)));
      parts.push(Buffer.from(Float64Array.from({ length: 12 }, (_, i) => numbers[i] ?? 0).buffer));
    }
  }
  return { count: cases.length, bytes: Buffer.concat(parts), wanted };
}

const file = join(folder, 'calls');
let made: ReturnType<typeof programs>;
beforeAll(() => {
  made = programs();
  writeFileSync(file, made.bytes);
});

test.each([
  { sanitizer: 'address,undefined', march: 'native' },
  { sanitizer: 'address,undefined', march: 'x86-64-v3' },
  { sanitizer: 'thread', march: 'native' },
  { sanitizer: 'undefined', march: 'x86-64' },
])('$sanitizer finds nothing in the kernels for $march, and their results are right', ({ sanitizer, march }) => {
  if (!can(sanitizer, march))
    return void console.warn(`skipped: no compiler with -fsanitize=${sanitizer} for ${march}`);
  const program = join(folder, `run-${sanitizer}-${march}`);
  const flags = ['-std=gnu11', '-O1', '-g', `-march=${march}`, '-fno-math-errno', '-Wno-psabi'];
  const checks = [`-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  execFileSync('cc', [...flags, ...checks, '-I', asset(''), '-o', program, ...SOURCES.map(asset), '-lm', '-lpthread']);
  const results = `${program}.out`;
  // alone, a thread that wants more working memory than it asked for leaves its allocation
  for (const threads of [1, 3]) {
    const said = execFileSync(program, [file, String(threads), results], { encoding: 'utf8', stdio: 'pipe' });
    expect(said).toBe(`${made.count} programs\n`);
    const { buffer, byteOffset } = readFileSync(results);
    let at = byteOffset;
    for (const { name, type, bytes, values, tolerance } of made.wanted) {
      const piece = buffer.slice(at, at + bytes);
      const kind = type === 'i32' ? Int32Array : type === 'f64' ? Float64Array : Float32Array;
      expect(distance(new kind(piece), values), name).toBeLessThan(tolerance);
      at += bytes;
    }
  }
});
