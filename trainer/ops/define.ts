/**
 * What an op and a kernel are. An op is called on shapes only: it notes its kernel calls on the tape that is recording.
 * A kernel exists once in C (kernel.c) and once in plain TypeScript (reference.ts); both take the same slots in the same order.
 */
export type Shape = readonly number[];
export type ElementType = 'f32' | 'i32' | 'f64';
/** Named parts of the arena. What lies in `activations` shares its place with others by lifetime. */
export type Zone = 'inputs' | 'weights' | 'gradients' | 'optimizer' | 'activations';
export type Numbers = Float32Array | Float64Array | Int32Array;

export interface Tensor {
  name: string;
  shape: Shape;
  type: ElementType;
  zone: Zone;
  /** Lies where this one lies, whose content is lost with the first write. */
  over?: Tensor;
  /** Places from the start of `over` [elements]. */
  at?: number;
  /** Another name of `over`, never written by itself: nothing of it is lost. */
  alias?: boolean;
}

/** A gradient to be written, or added to where something is there already. */
export interface Target {
  tensor: Tensor;
  add: boolean;
}

/** `gradient`: written or added to, by the call's word; `update`: read and written. */
export type Role = 'read' | 'write' | 'update' | 'gradient';

/** Floats of working memory: one piece for all threads, and one for each. */
export interface Scratch {
  shared?: number;
  each?: number;
}

export interface Kernel {
  name: string;
  slots: readonly { name: string; role: Role }[];
  numbers: readonly string[];
  scratch: (numbers: readonly number[]) => Scratch;
  /** Runs outside the engine, between two of its lists: a word to other ranks. Whoever binds the program brings it. */
  host: boolean;
  /** Adds to `gradient` slots: the engine has cleared those that are to be written. */
  reference: (tensors: Record<string, Numbers>, numbers: Record<string, number>) => void;
}

export interface Call {
  kernel: Kernel;
  tensors: readonly Tensor[];
  /** Bit i: slot i is added to. */
  adds: number;
  numbers: readonly number[];
}

/** Elements of a shape [count]. */
export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Whether slot i of a call needs what was there before, and whether it changes it. */
export function access(call: Call, i: number): { reads: boolean; writes: boolean } {
  const { role } = call.kernel.slots[i]!;
  const adds = ((call.adds >> i) & 1) === 1;
  return { reads: role === 'read' || role === 'update' || adds, writes: role !== 'read' };
}

/** Declares a kernel; the function it returns makes a call of it. Slots reach C in the order written here. */
export function defineKernel<const S extends Record<string, Role>, const N extends readonly string[]>(definition: {
  name: string;
  tensors: S;
  numbers: N;
  scratch?: (numbers: Record<N[number], number>) => Scratch;
  reference: (tensors: Record<keyof S & string, Numbers>, numbers: Record<N[number], number>) => void;
}): (tensors: Record<keyof S, Tensor | Target>, numbers: Record<N[number], number>) => Call {
  const slots = Object.entries(definition.tensors).map(([name, role]) => ({ name, role }));
  const kernel: Kernel = {
    name: definition.name,
    slots,
    numbers: definition.numbers,
    scratch: (values) => definition.scratch?.(named(definition.numbers, values)) ?? {},
    host: false,
    reference: definition.reference as Kernel['reference'],
  };
  return callOf(kernel);
}

/** Declares a kernel that runs outside the engine; slots and numbers as in `defineKernel`. */
export function defineHostKernel<const S extends Record<string, Role>, const N extends readonly string[]>(definition: {
  name: string;
  tensors: S;
  numbers: N;
}): (tensors: Record<keyof S, Tensor | Target>, numbers: Record<N[number], number>) => Call {
  const slots = Object.entries(definition.tensors).map(([name, role]) => ({ name, role }));
  const reference = () => {
    throw new Error(`${definition.name} runs outside the engine`);
  };
  return callOf({ ...definition, slots, scratch: () => ({}), host: true, reference });
}

function callOf(kernel: Kernel) {
  return (tensors: Record<string, Tensor | Target>, numbers: Record<string, number>): Call => {
    let adds = 0;
    const list = kernel.slots.map(({ name, role }, i) => {
      const given = tensors[name]!;
      if (!('tensor' in given)) return given;
      if (role !== 'gradient') throw new Error(`${kernel.name}: ${name} is no gradient`);
      if (given.add) adds |= 1 << i;
      return given.tensor;
    });
    return { kernel, tensors: list, adds, numbers: kernel.numbers.map((n) => numbers[n]!) };
  };
}

const named = <K extends string>(names: readonly K[], values: readonly number[]): Record<K, number> =>
  Object.fromEntries(names.map((n, i) => [n, values[i]!])) as Record<K, number>;

export interface Output extends Pick<Tensor, 'shape' | 'over' | 'alias'> {
  type?: ElementType;
}

/** What the backward half of an op may ask for. */
export interface Gradients<I extends string, O extends string> {
  /** The gradient of an output. */
  of(output: O): Tensor;
  /** The same, for an op that writes over it: no other gradient lies there. */
  take(output: O): Tensor;
  /** Where the gradient of an input goes. */
  into(input: I): Target;
  /** The gradient of an input is this very tensor: nothing is copied unless it must be. */
  pass(input: I, tensor: Tensor): Call[];
}

export interface Op<I extends string = string, O extends string = string, A = unknown> {
  name: string;
  source: string;
  inputs: readonly I[];
  outputs(inputs: Record<I, Tensor>, attributes: A): Record<O, Output>;
  forward(tensors: Record<I | O, Tensor>, attributes: A): Call[];
  /** Absent where nothing is learned through it. */
  backward?(tensors: Record<I | O, Tensor>, attributes: A, gradients: Gradients<I, O>): Call[];
}

/** One use of an op. */
export interface Step {
  op: Op<string, string, unknown>;
  tensors: Record<string, Tensor>;
  outputs: readonly string[];
  attributes: unknown;
}

/** What was recorded: uses of ops for differentiation, and kernel calls in order. */
export interface Tape {
  steps: Step[];
  calls: Call[];
}

let current: Tape | undefined;

/** Runs `build` while every op notes its calls on `tape`. */
export function recordOn<T>(tape: Tape, build: () => T): T {
  const before = current;
  current = tape;
  try {
    return build();
  } finally {
    current = before;
  }
}

/** Declares an op; the function it returns takes tensors (and attributes, where it has any) and gives its outputs' tensors. */
export function defineOp<I extends string, O extends string, A>(
  op: Op<I, O, A>,
): (inputs: Record<I, Tensor>, ...attributes: unknown extends A ? [] : [A]) => Record<O, Tensor> {
  return (inputs, ...given) => useOp(op as unknown as Op, inputs, given[0]) as Record<O, Tensor>;
}

/** Notes one use of an op on the tape that is recording. */
export function useOp(op: Op, inputs: Record<string, Tensor>, attributes: unknown): Record<string, Tensor> {
  if (!current) throw new Error(`${op.name}: called outside record()`);
  const outputs = outputsOf(op, inputs, attributes);
  const tensors = { ...inputs, ...outputs };
  current.steps.push({ op, tensors, outputs: Object.keys(outputs), attributes });
  current.calls.push(...op.forward(tensors, attributes));
  return outputs;
}

/** Tensors for the outputs of an op on these inputs. */
export const outputsOf = (op: Op, inputs: Record<string, Tensor>, attributes: unknown): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(op.outputs(inputs, attributes)).map(([name, output]) => [
      name,
      { type: 'f32', zone: 'activations', ...output, name: `${op.name}.${name}` } satisfies Tensor,
    ]),
  );

/** Throws unless a shape is what an op needs; `wanted` says it in the op's letters. */
export function expectShape(op: string, name: string, shape: Shape, wanted: Shape, letters: string): void {
  if (shape.length !== wanted.length || shape.some((d, i) => d !== wanted[i]))
    throw new Error(`${op}: ${name} is [${shape.join(', ')}], it must be ${letters} = [${wanted.join(', ')}]`);
}
