import { GarnerError } from '../../core/errors.ts';

const SUFFIXES: Record<string, number> = { k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12 };

/** Bounds of an option's value, with what a person reads where it is outside. */
export interface Bounds {
  option: string;
  least: number;
  most: number;
  whole?: boolean;
  /** `tokens`: what the number counts, where it counts anything. */
  unit?: string;
}

/** Reads `2T`, `300B`, `1.5e9`, `4096`: k, M, B or G, T count by thousands. Throws a GarnerError outside the bounds. */
export function quantity(text: string, { option, least, most, whole, unit }: Bounds): number {
  const [, digits, suffix] =
    /^(-?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[+-]?\d{1,4})?)\s?([kmbgt]?)b?$/i.exec(text.trim()) ?? [];
  const n = digits === undefined ? NaN : Number(digits) * (SUFFIXES[suffix!.toLowerCase()] ?? 1);
  const value = whole ? Math.round(n) : n;
  const broken = whole && Math.abs(value - n) > 1e-6 * Math.abs(n);
  if (Number.isFinite(value) && value >= least && value <= most && !broken) return value;
  throw new GarnerError({
    what: `${option} is "${text.slice(0, 60)}"`,
    where: 'argument',
    hint: `${whole ? 'a whole number' : 'a number'}${unit === undefined ? '' : ` of ${unit}`} from ${plainNumber(least)} to ${plainNumber(most)} is expected`,
    fault: 2,
  });
}

const plainNumber = (n: number): string =>
  Math.abs(n) >= 1e9 || (n !== 0 && Math.abs(n) < 1e-3) ? n.toExponential().replace('+', '') : n.toLocaleString('en');

/** Seconds as people say them: `34.2 days`, `5.1 h`, `3.2 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${three(seconds * 1e3)} ms`;
  if (seconds < 120) return `${three(seconds)} s`;
  if (seconds < 7200) return `${three(seconds / 60)} min`;
  if (seconds < 72 * 3600) return `${three(seconds / 3600)} h`;
  if (seconds < 1000 * 86_400) return `${three(seconds / 86_400)} days`;
  return `${three(seconds / (365.25 * 86_400))} years`;
}

/** `1234567` → `1.23 million`; three figures. */
export function formatCount(n: number): string {
  const steps = [
    [1e15, ' quadrillion'],
    [1e12, ' trillion'],
    [1e9, ' billion'],
    [1e6, ' million'],
  ] as const;
  const [unit, word] = steps.find(([from]) => Math.abs(n) >= from) ?? [1, ''];
  return Math.abs(n) >= 1e18
    ? n.toExponential(2).replace('+', '')
    : `${unit === 1 && Math.abs(n) >= 1000 ? Math.round(n).toLocaleString('en') : three(n / unit)}${word}`;
}

/** Three figures, without an exponent between a thousandth and a million. */
export const three = (n: number): string => {
  if (n === 0) return '0';
  if (Math.abs(n) >= 1e6 || Math.abs(n) < 1e-3) return n.toExponential(2).replace('+', '');
  return Math.abs(n) >= 100 ? Math.round(n).toLocaleString('en') : String(Number(n.toPrecision(3)));
};
