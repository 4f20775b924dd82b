import { GarnerError, type Fault } from '../../../core/errors.ts';
import { RankLost } from '../../collectives/group.ts';

/** An error as it crosses the border of a process: plain data. */
export interface Failure {
  message: string;
  stack?: string | undefined;
  /** Where a person must act. */
  garner: { what: string; where?: string | undefined; hint?: string | undefined; fault: Fault } | null;
  /** The rank that this one lost, where that is all it can say. */
  lost: number | null;
}

export function failureOf(error: unknown): Failure {
  const { message, stack } = Object(error) as Partial<Error>;
  return {
    message: String(message ?? error),
    stack,
    garner:
      error instanceof GarnerError
        ? { what: withoutPlace(error), where: error.where, hint: error.hint, fault: error.fault }
        : null,
    lost: error instanceof RankLost ? error.rank : null,
  };
}

/** The error again, where a person must act on it; null for others. */
export const garnerError = (failure: Failure): GarnerError | null =>
  failure.garner ? new GarnerError(failure.garner) : null;

/** The message without the place, which stands beside it. */
const withoutPlace = ({ message, where }: GarnerError): string => (where ? message.slice(where.length + 2) : message);
