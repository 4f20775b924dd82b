/** One measured figure, as it is printed and stored. */
export interface Figure {
  bench: string;
  case: string;
  metric: string;
  value: number;
  unit: string;
  rival?: string;
  rivalValue?: number;
  ratio?: number;
  /** `>= 2`, `<= 180`, `== 1`: held against the ratio where there is a rival, else against the value. */
  bar?: string;
  met?: boolean;
  note?: string;
}

export interface BenchOptions {
  /** Smaller input, fewer runs: under 50 seconds a family. */
  quick: boolean;
  say: (text: string) => void;
}

/** A family of cases: `run` checks correctness before it times, and yields figures as they come. */
export interface Bench {
  name: string;
  /** What bounds it in theory: bytes, FLOPs, memory. */
  limit: string;
  run(options: BenchOptions): AsyncIterable<Figure> | Iterable<Figure>;
}

/** Checks the type of a bench where it is written. */
export const defineBench = (bench: Bench): Bench => bench;

/** Holds a figure against its bar: the ratio to the rival where there is one, else the value itself. */
export function judged(figure: Figure): Figure {
  // An absent rival leaves nothing to hold the bar against.
  if (!figure.bar || (figure.rival !== undefined && figure.rivalValue === undefined)) return figure;
  const [, operator, number] = /^(>=|<=|==)\s*([\d.]+)/.exec(figure.bar) ?? [];
  const value = figure.ratio ?? figure.value;
  const bar = Number(number);
  const met = operator === '>=' ? value >= bar : operator === '<=' ? value <= bar : value === bar;
  return { ...figure, met };
}

/** The middle value; of an even number of values the mean of the middle two. */
export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Seconds of each run of `a` and `b`, interleaved after a warm-up of each, so that a noisy machine disturbs both alike. */
export async function interleave(
  runs: number,
  a: () => unknown,
  b?: () => unknown,
): Promise<{ a: number[]; b: number[] }> {
  const times = { a: [] as number[], b: [] as number[] };
  const once = async (f: () => unknown) => {
    const start = performance.now();
    await f();
    return (performance.now() - start) / 1000;
  };
  await a();
  await b?.();
  for (let i = 0; i < runs; i++) {
    times.a.push(await once(a));
    if (b) times.b.push(await once(b));
  }
  return times;
}
