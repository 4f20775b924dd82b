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
