import { createRequire } from 'node:module';
import { rmSync } from 'node:fs';
import { GarnerError } from '../errors.ts';
import { compile, findCompiler, type Compiler } from './compile.ts';

type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

const ARRAYS = {
  'i8*': Int8Array,
  'u8*': Uint8Array,
  'i16*': Int16Array,
  'u16*': Uint16Array,
  'i32*': Int32Array,
  'u32*': Uint32Array,
  'f32*': Float32Array,
  'f64*': Float64Array,
  'i64*': BigInt64Array,
  'u64*': BigUint64Array,
} as const;

/** `ptr` is an address (bigint) or any typed array whose size the caller has planned; the others are checked here. */
export type ArgumentType = keyof typeof ARRAYS | 'ptr' | 'i32' | 'u32' | 'i64' | 'f32' | 'f64';
export type Value = TypedArray | bigint | number | null;

export interface Argument {
  name: string;
  type: ArgumentType;
  /** The least number of elements of an array, from the scalar arguments of the same call. */
  length?: (scalars: Record<string, number>) => number;
  /** May be null. */
  optional?: boolean;
}

export interface NativeFunction {
  returns: 'void' | 'i32' | 'i64' | 'f32' | 'f64' | 'ptr';
  arguments: readonly Argument[];
  /** Also make `name_async`, which runs on a thread of libuv's pool. */
  async?: boolean;
}

export interface NativeUnit {
  name: string;
  /** C files, paths from the package's root. */
  sources: readonly string[];
  headers?: readonly string[];
  flags?: readonly string[];
  functions: Record<string, NativeFunction>;
}

export type Call = (...args: Value[]) => number | bigint;
export type AsyncCall = (...args: Value[]) => Promise<number | bigint>;
export interface Library {
  path: string;
  call: Record<string, Call>;
  callAsync: Record<string, AsyncCall>;
}

const C_TYPES: Record<string, string> = {
  i32: 'int32_t',
  u32: 'uint32_t',
  i64: 'int64_t',
  f32: 'float',
  f64: 'double',
  ptr: 'void *',
  void: 'void',
};

const loaded = new Map<string, Library | null>();

/**
 * Compiles (once) and loads a native unit; null where this machine has no C compiler: the caller then takes its TypeScript twin.
 * Every call is checked: element types, lengths, whole numbers. koffi itself checks none of these.
 */
export function loadNative(unit: NativeUnit): Library | null {
  const cached = loaded.get(unit.name);
  if (cached !== undefined) return cached;
  const compiler = findCompiler();
  const library = compiler && build(unit, compiler);
  loaded.set(unit.name, library);
  return library;
}

/** Compiles and opens; a kept library that does not open (cut by a power loss) is built once more. */
function build(unit: NativeUnit, compiler: Compiler): Library {
  const make = () => compile(unit.name, unit.sources, unit.headers ?? [], unit.flags ?? [], compiler);
  const path = make();
  try {
    return open(unit, path);
  } catch {
    rmSync(path, { force: true });
  }
  try {
    return open(unit, make());
  } catch (error) {
    if (error instanceof GarnerError) throw error;
    throw new GarnerError(
      {
        what: `the library of ${unit.name} was built and does not open: ${(error as Error).message}`,
        where: path,
        hint: `is ${compiler.command} a compiler for this machine? GARNER_NO_COMPILER=1 goes without one`,
      },
      error,
    );
  }
}

type KoffiFunction = ((...args: unknown[]) => number | bigint) & { async: (...args: unknown[]) => void };

function open(unit: NativeUnit, path: string): Library {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: string): { func(name: string, returns: string, args: string[]): KoffiFunction };
  };
  const handle = koffi.load(path);
  const library: Library = { path, call: {}, callAsync: {} };
  for (const [name, spec] of Object.entries(unit.functions)) {
    const raw = handle.func(
      name,
      C_TYPES[spec.returns]!,
      spec.arguments.map((a) => C_TYPES[a.type] ?? 'void *'),
    );
    library.call[name] = (...args) => {
      check(name, spec.arguments, args);
      return raw(...args);
    };
    if (spec.async) {
      library.callAsync[name] = (...args) => {
        check(name, spec.arguments, args);
        return new Promise((resolve, reject) => {
          raw.async(...args, (error: unknown, result: number | bigint) =>
            error ? reject(error as Error) : resolve(result),
          );
        });
      };
    }
  }
  return library;
}

function check(name: string, specs: readonly Argument[], args: readonly Value[]): void {
  if (args.length !== specs.length) throw new TypeError(`${name}: ${args.length} arguments, ${specs.length} expected`);
  let scalars: Record<string, number> | undefined;
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i]!;
    const value = args[i]!;
    const array = ARRAYS[spec.type as keyof typeof ARRAYS] as (new () => TypedArray) | undefined;
    if (value === null && spec.optional) continue;
    if (array) {
      if (!(value instanceof array)) throw new TypeError(`${name}: ${spec.name} must be a ${array.name}`);
      if (spec.length) {
        scalars ??= Object.fromEntries(
          specs.flatMap((s, j) => (typeof args[j] === 'number' ? [[s.name, args[j] as number]] : [])),
        );
        const least = spec.length(scalars);
        if (!(value.length >= least))
          throw new RangeError(`${name}: ${spec.name} has ${value.length} elements, ${least} needed`);
      }
    } else if (spec.type === 'ptr') {
      if (typeof value !== 'bigint' && !ArrayBuffer.isView(value))
        throw new TypeError(`${name}: ${spec.name} must be an address or a typed array`);
    } else if (spec.type === 'f32' || spec.type === 'f64') {
      if (typeof value !== 'number') throw new TypeError(`${name}: ${spec.name} must be a number`);
    } else if (!isWhole(value, spec.type)) {
      throw new RangeError(`${name}: ${spec.name} = ${String(value)} is no ${spec.type}`);
    }
  }
}

const LIMITS = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;

function isWhole(value: Value, type: ArgumentType): boolean {
  const [low, high] = LIMITS[type as keyof typeof LIMITS];
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
}
