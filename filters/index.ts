import { gopherQuality } from './quality/gopher-quality.ts';
import type { Filter } from './rules.ts';

/** Every filter. A new one is a file and a line here. */
export const FILTERS: readonly Filter[] = [gopherQuality];

/** The filter of that name, if there is one. */
export const findFilter = (name: string): Filter | undefined => FILTERS.find((f) => f.name === name);
