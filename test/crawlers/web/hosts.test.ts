import { expect, test } from 'vitest';
import { createHosts } from '../../../crawlers/web/hosts.ts';

const entry = (url: string, site = 'a.org') => ({ url, site });

test('hosts in turn, one request at a time, a rest after each; what is to be asked again comes first', () => {
  const hosts = createHosts(1);
  for (const e of [entry('1'), entry('2'), entry('3', 'b.org')]) hosts.add(e);
  const first = hosts.take(0)!;
  expect(first.entry.url).toBe('1');
  expect(hosts.take(0)!.entry.url).toBe('3');
  expect(hosts.take(0)).toBeNull();
  hosts.done(first.entry, first.lane, 10, 100, true);
  expect([hosts.ready(109), hosts.ready(110), hosts.open]).toEqual([false, true, 3]);
  expect(hosts.take(110)!.entry.url).toBe('1');
});

test('an entry that joins an empty queue does not hide the one that is under way', () => {
  const hosts = createHosts(1);
  hosts.add(entry('1'));
  const { lane } = hosts.take(0)!;
  hosts.add(entry('2'));
  hosts.done(entry('1'), lane, 0, 0, true);
  expect([hosts.take(0)!.entry.url, hosts.open]).toEqual(['1', 2]);
  hosts.done(entry('1'), lane, 0, 0, false);
  expect([hosts.take(0)!.entry.url, hosts.open]).toEqual(['2', 1]);
});
