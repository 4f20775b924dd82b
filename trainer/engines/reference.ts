import type { Engine } from './engine.ts';

/** Every kernel's plain TypeScript form: slow, obviously right, and the way without a C compiler. */
export function openReference(): Engine {
  return {
    name: 'reference',
    allocate: (bytes) => ({ buffer: new ArrayBuffer(bytes), byteOffset: 0 }),
    bind(calls) {
      const runs = calls.map(({ kernel, views, adds, numbers }) => {
        const tensors = Object.fromEntries(kernel.slots.map(({ name }, i) => [name, views[i]!]));
        const values = Object.fromEntries(kernel.numbers.map((name, i) => [name, numbers[i]!]));
        const fresh = views.filter((_, i) => kernel.slots[i]!.role === 'gradient' && !((adds >> i) & 1));
        return () => {
          for (const view of fresh) view.fill(0);
          kernel.reference(tensors, values);
        };
      });
      return () => {
        for (const run of runs) run();
      };
    },
    scratchBytes: () => 0,
    close: () => {},
  };
}
