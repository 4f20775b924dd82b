export interface Agreement {
  /** 1 for perfect agreement, 0 for chance; null where it is not defined: nobody to compare, or no two values differ. */
  alpha: number | null;
  /** Units with at least two values [count]. */
  units: number;
  /** Values in them [count]. */
  values: number;
}

/** Sorted categories with how often each occurs, and the squared difference of two of them by their places. */
type Difference = (a: number, b: number, counts: readonly number[]) => number;

const nominal: Difference = (a, b) => (a === b ? 0 : 1);

/** Ranks lie as far apart as values lie between them. */
const ordinal: Difference = (a, b, counts) => {
  const [low, high] = a < b ? [a, b] : [b, a];
  let between = 0;
  for (let g = low; g <= high; g++) between += counts[g]!;
  return (between - (counts[low]! + counts[high]!) / 2) ** 2;
};

/**
 * Krippendorff's α over units, each the values that its judges gave: α = 1 − (n − 1) · Σ o(c,k) δ²(c,k) / Σ n(c) n(k) δ²(c,k).
 * A unit with one value compares with nothing and is left out. Numbers are ordered as numbers.
 * Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, whose example C is in the tests.
 */
export function krippendorff(
  units: readonly (readonly (string | number)[])[],
  level: 'nominal' | 'ordinal',
): Agreement {
  const pairable = units.filter((u) => u.length > 1);
  const categories = [...new Set(pairable.flat())].toSorted((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
  );
  const place = new Map(categories.map((c, i) => [c, i]));
  const difference = level === 'nominal' ? nominal : ordinal;
  const counts = categories.map(() => 0);
  for (const unit of pairable) for (const value of unit) counts[place.get(value)!]!++;
  const n = counts.reduce((a, b) => a + b, 0);

  let observed = 0;
  for (const unit of pairable) {
    let sum = 0;
    for (const [i, a] of unit.entries())
      for (const [j, b] of unit.entries()) if (i !== j) sum += difference(place.get(a)!, place.get(b)!, counts);
    observed += sum / (unit.length - 1);
  }
  let expected = 0;
  for (const [a, x] of counts.entries())
    for (const [b, y] of counts.entries()) expected += x * y * difference(a, b, counts);
  return {
    alpha: expected === 0 ? null : 1 - ((n - 1) * observed) / expected,
    units: pairable.length,
    values: n,
  };
}

export interface Share {
  share: number | null;
  /** Wilson's interval at 95 %. */
  low: number | null;
  high: number | null;
  n: number;
}

/** A share with its interval (Wilson 1927): sensible for few and for extreme counts too. */
export function wilson(hits: number, n: number): Share {
  if (n === 0) return { share: null, low: null, high: null, n };
  const z = 1.959964;
  const p = hits / n;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { share: p, low: hits === 0 ? 0 : centre - half, high: hits === n ? 1 : centre + half, n };
}
