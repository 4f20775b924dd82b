import { GarnerError } from '../core/errors.ts';

/** A whole number of an option, or one sentence. */
export const wholeNumber =
  (name: string, least = 0) =>
  (value: string): number => {
    const n = /^-?\d+$/.test(value) ? Number(value) : NaN;
    if (!Number.isSafeInteger(n) || n < least)
      throw new GarnerError({
        what: `${name} is "${value}"`,
        where: 'argument',
        hint: `a whole number of at least ${least} is expected`,
        fault: 2,
      });
    return n;
  };

/** A number of an option between two ends; whole unless said otherwise. */
export const numberBetween =
  (name: string, low: number, high: number, whole = true) =>
  (value: string): number => {
    const n = value.trim() === '' ? NaN : Number(value);
    if (!(n >= low && n <= high) || (whole && !Number.isInteger(n)))
      throw new GarnerError({
        what: `${name} is "${value}"`,
        where: 'argument',
        hint: `a ${whole ? 'whole ' : ''}number from ${low} to ${high} is expected`,
        fault: 2,
      });
    return n;
  };
