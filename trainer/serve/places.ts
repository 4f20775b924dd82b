/** Places for sequences, and a line of those who wait for some. */
export interface Places {
  total: number;
  /**
   * Resolves when `count` places are held, in the order of asking, with what gives one back; null where the line is full.
   * Who leaves the line (signal) is passed over; the promise then rejects with the signal's reason.
   */
  take(count: number, signal: AbortSignal): Promise<() => void> | null;
}

interface Waiting {
  count: number;
  go(): void;
}

/** `total` places, at most `line` who wait. */
export function openPlaces(total: number, line: number): Places {
  let free = total;
  const waiting: Waiting[] = [];
  const serve = () => {
    while (waiting[0] && waiting[0].count <= free) {
      const first = waiting.shift()!;
      free -= first.count;
      first.go();
    }
  };
  const giveBack = () => {
    free++;
    serve();
  };
  return {
    total,
    take(count, signal) {
      if (count > total) throw new RangeError(`${count} places of ${total}`);
      const atOnce = waiting.length === 0 && count <= free;
      if (!atOnce && waiting.length >= line) return null;
      return new Promise((done, fail) => {
        const leave = () => {
          const at = waiting.indexOf(entry);
          if (at < 0) return;
          waiting.splice(at, 1);
          fail(signal.reason as Error);
          serve();
        };
        const entry: Waiting = {
          count,
          go() {
            signal.removeEventListener('abort', leave);
            done(giveBack);
          },
        };
        if (signal.aborted) return fail(signal.reason as Error);
        signal.addEventListener('abort', leave, { once: true });
        waiting.push(entry);
        serve();
      });
    },
  };
}
