import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GarnerError } from '../../core/errors.ts';
import { compile, findCompiler } from '../../core/native/compile.ts';
import { loadNative, type Library, type NativeUnit } from '../../core/native/load.ts';
import { compiledModule, packageRoot } from '../../core/root.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-native-'));
const before = process.env['GARNER_CACHE'];
const source = join(folder, 'kernel.c');
const unit: NativeUnit = {
  name: 'test-scale',
  sources: [relative(packageRoot, source)],
  functions: {
    scale: {
      returns: 'f64',
      async: true,
      arguments: [
        { name: 'y', type: 'f32*', length: (a) => a['n']! },
        { name: 'x', type: 'f32*', length: (a) => a['n']! },
        { name: 'a', type: 'f32' },
        { name: 'n', type: 'i64' },
      ],
    },
  },
};
let library: Library | null = null;
beforeAll(() => {
  process.env['GARNER_CACHE'] = join(folder, 'cache');
  mkdirSync(join(folder, 'cache'));
  writeFileSync(
    source,
    '#include <stdint.h>\ndouble scale(float *y, const float *x, float a, int64_t n) { double s = 0; for (int64_t i = 0; i < n; i++) s += y[i] = a * x[i]; return s; }\n',
  );
  library = loadNative(unit);
});
afterAll(() => {
  if (before === undefined) delete process.env['GARNER_CACHE'];
  else process.env['GARNER_CACHE'] = before;
  rmSync(folder, { recursive: true });
});

const compiler = findCompiler();
test.skipIf(!compiler)('a kernel computes, on this thread and on another', async () => {
  const x = Float32Array.of(1, 2, 3);
  const y = new Float32Array(3);
  expect(library!.call['scale']!(y, x, 2, 3)).toBe(12);
  expect([...y]).toEqual([2, 4, 6]);
  expect(await library!.callAsync['scale']!(y, x, 3, 2)).toBe(9);
});

test.skipIf(!compiler)('wrong element types, short arrays and broken numbers never reach C', () => {
  const call = library!.call['scale']!;
  const x = new Float32Array(4);
  expect(() => call(new Float64Array(4), x, 1, 4)).toThrow(/y must be a Float32Array/);
  expect(() => call(x, x, 1, 5)).toThrow(/y has 4 elements, 5 needed/);
  expect(() => call(x, x, 1, 2 ** 60)).toThrow(/is no i64|needed/);
  expect(() => call(x, x, 1, 1.5)).toThrow(/is no i64|needed/);
  expect(() => call(x, x, 1, Number.NaN)).toThrow(/is no i64|needed/);
  expect(() => call(x, x, 1)).toThrow(/3 arguments, 4 expected/);
});

test.skipIf(!compiler)(
  "a library is built once; a source that does not compile is a sentence with the compiler's words",
  () => {
    const first = compile(unit.name, unit.sources, [], [], compiler!);
    const built = readdirSync(join(folder, 'cache', 'kernels'));
    expect(compile(unit.name, unit.sources, [], [], compiler!)).toBe(first);
    expect(readdirSync(join(folder, 'cache', 'kernels'))).toEqual(built);
    const bad = join(folder, 'bad.c');
    writeFileSync(bad, 'int f( { return 1; }');
    expect(() => compile('bad', [relative(packageRoot, bad)], [], [], compiler!)).toThrow(GarnerError);
  },
);

test.skipIf(!compiler)('a kept library that was cut is built again', () => {
  const broken: NativeUnit = { ...unit, name: 'test-broken' };
  const path = compile(broken.name, broken.sources, [], [], compiler!);
  truncateSync(path, 100);
  const opened = loadNative(broken)!;
  expect(opened.call['scale']!(new Float32Array(1), Float32Array.of(3), 2, 1)).toBe(6);
});

describe.skipIf(!compiler)('in a process of its own', () => {
  const script = `const { loadNative } = await import(${JSON.stringify(compiledModule('core/native/load'))});
    const library = loadNative(${JSON.stringify({ name: 'test-child', sources: unit.sources, functions: { scale: { returns: 'f64', arguments: ['ptr', 'ptr', 'f32', 'i64'].map((type, i) => ({ name: `a${i}`, type })) } } })});
    console.log(library && library.call.scale(new Float32Array(1), Float32Array.of(3), 2, 1));`;
  const start = (env: NodeJS.ProcessEnv) =>
    new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        ['--input-type=module', '-e', script],
        { env: { ...process.env, CC: undefined, ...env } },
        (_, out, err) => resolve(out + err),
      );
    });

  test('two that find an empty cache at once both get a whole library', async () => {
    const cache = join(folder, 'raced');
    expect(await Promise.all([1, 2, 3].map(() => start({ GARNER_CACHE: cache })))).toEqual(['6\n', '6\n', '6\n']);
    expect(readdirSync(join(cache, 'kernels'))).toHaveLength(1);
  });

  test('a cache that cannot be written, a CC that does not run, one of two words, and none', async () => {
    writeFileSync(join(folder, 'a-file'), '');
    const temporary = join(folder, 'temporary');
    mkdirSync(temporary);
    expect(await start({ GARNER_CACHE: join(folder, 'a-file', 'cache'), TMPDIR: temporary })).toBe('6\n');
    expect(await start({ CC: 'no-such-compiler' })).toBe('6\n');
    expect(await start({ CC: 'env cc' })).toBe('6\n');
    expect(await start({ GARNER_NO_COMPILER: '1' })).toBe('null\n');
    expect(readdirSync(temporary)).toEqual([]);
  });
});
