import { openCpu } from './cpu/engine.ts';
import type { Engine } from './engine.ts';
import { openReference } from './reference.ts';

let told = false;

/** Opens an engine. Without a C compiler `cpu` becomes the reference engine, and one notice on standard error says so. */
export function openEngine(name: 'cpu' | 'reference', threads: number): Engine {
  if (name === 'reference') return openReference();
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw new RangeError(`threads is ${threads}, a whole number from 1 to 1024 is needed`);
  const engine = openCpu(threads);
  if (engine) return engine;
  if (!told)
    console.error(
      'no C compiler: training runs on the TypeScript engine, some hundred times slower (install gcc or clang)',
    );
  told = true;
  return openReference();
}
