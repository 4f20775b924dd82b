/** A URL that waits to be asked for. */
export interface Waiting {
  url: string;
  /** Host and port. */
  site: string;
}

/** Who may be asked now: one queue a host, `parallel` requests at a time, a pause after each. */
export interface Hosts<E extends Waiting> {
  add(entry: E): void;
  /** The next entry whose host is free and rested, hosts in turn; null where all are busy or resting. */
  take(now: number): { entry: E; lane: number } | null;
  /** Whether `take` would give one. */
  ready(now: number): boolean;
  /** An entry's request is over. `pauseMs`: how long the host rests; `again`: it is to be asked once more, first. */
  done(entry: E, lane: number, now: number, pauseMs: number, again: boolean): void;
  /** Takes out everything that waits for a host. */
  drop(site: string): E[];
  /** Entries that wait or are under way. */
  open: number;
}

interface Host<E> {
  waiting: E[];
  next: number;
  busy: Set<number>;
  restsUntil: number;
  /** Whether it stands in the line of hosts. */
  inLine: boolean;
}

/** Empty queues; `parallel`: requests side by side to one host [count]. Knows no clock: times are given [ms]. */
export function createHosts<E extends Waiting>(parallel: number): Hosts<E> {
  const hosts = new Map<string, Host<E>>();
  /** Hosts with something waiting, in turn. */
  const line: string[] = [];
  let open = 0;
  const isReady = (host: Host<E>, now: number) =>
    host.next < host.waiting.length && host.busy.size < parallel && host.restsUntil <= now;
  const standInLine = (site: string, host: Host<E>) => {
    if (host.inLine || host.next >= host.waiting.length) return;
    host.inLine = true;
    line.push(site);
  };
  return {
    get open() {
      return open;
    },
    add(entry) {
      let host = hosts.get(entry.site);
      if (!host)
        hosts.set(entry.site, (host = { waiting: [], next: 0, busy: new Set(), restsUntil: 0, inLine: false }));
      if (host.next >= host.waiting.length) [host.waiting, host.next] = [[], 0];
      host.waiting.push(entry);
      open++;
      standInLine(entry.site, host);
    },
    ready: (now) => line.some((site) => isReady(hosts.get(site)!, now)),
    take(now) {
      const at = line.findIndex((site) => isReady(hosts.get(site)!, now));
      if (at === -1) return null;
      const site = line[at]!;
      const host = hosts.get(site)!;
      line.splice(at, 1);
      host.inLine = false;
      const entry = host.waiting[host.next++]!;
      const lane = Array.from({ length: parallel }, (_, i) => i).find((i) => !host.busy.has(i))!;
      host.busy.add(lane);
      standInLine(site, host);
      return { entry, lane };
    },
    done(entry, lane, now, pauseMs, again) {
      const host = hosts.get(entry.site)!;
      host.busy.delete(lane);
      host.restsUntil = Math.max(host.restsUntil, now + pauseMs);
      if (again) {
        if (host.next > 0) host.waiting[--host.next] = entry;
        else host.waiting.unshift(entry);
        standInLine(entry.site, host);
      } else open--;
    },
    drop(site) {
      const host = hosts.get(site);
      if (!host) return [];
      const rest = host.waiting.slice(host.next);
      host.next = host.waiting.length;
      open -= rest.length;
      return rest;
    },
  };
}
