import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP, isIPv4 } from 'node:net';

/** The IANA special-purpose blocks, and metadata services that hide in public ones. */
const IPV4: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['168.63.129.16', 32],
];

const IPV6: [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const refused4 = new BlockList();
for (const [address, bits] of IPV4) refused4.addSubnet(address, bits, 'ipv4');
const refused6 = new BlockList();
for (const [address, bits] of IPV6) refused6.addSubnet(address, bits, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/** The eight 16-bit groups of an IPv6 address; the zone is cut off. */
function groups(address: string): number[] {
  let text = address.split('%')[0]!;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: gap }, () => '0'), ...right].map((g) => Number.parseInt(g, 16));
}

/** True for an address of the public internet; loopback, private, link-local, metadata, multicast and reserved ones are not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !refused4.check(address, 'ipv4');
  if (isIP(address) !== 6) return false;
  const g = groups(address);
  const embedded = (high: number, low: number) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const zeros = (from: number, to: number) => g.slice(from, to).every((x) => x === 0);
  if (zeros(0, 5) && g[5] === 0xffff) return isPublicAddress(embedded(g[6]!, g[7]!));
  // NAT64 (RFC 6052): networks without IPv4 reach the public one through it.
  if (g[0] === 0x64 && g[1] === 0xff9b && zeros(2, 6)) return isPublicAddress(embedded(g[6]!, g[7]!));
  const plain = g.map((x) => x.toString(16)).join(':');
  return global6.check(plain, 'ipv6') && !refused6.check(plain, 'ipv6');
}

const PORTS = new Set(['', '80', '443', '8080', '8443']);
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa|localdomain|intranet|lan)$/i;

export interface Guard {
  /** Null where the URL may be asked for as far as its text tells, else `address`, `port` or `scheme`. */
  refuses(url: URL): string | null;
  /** Whether an address may be connected to under this host name. */
  admits(host: string, port: string, address: string): boolean;
  /** For net.connect: resolves a name, and fails where any of its addresses is not admitted. */
  lookup(port: string): GuardedLookup;
}

export type GuardedLookup = (
  host: string,
  options: LookupOptions,
  callback: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
) => void;

/** Code of the error with which a connection to a refused address fails. */
export const REFUSED_ADDRESS = 'GARNER_ADDRESS';

const bare = (host: string) =>
  host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();

/**
 * What the crawl may connect to. `allow`: hosts, or host:port, that are let through whatever their address;
 * `ports`: those that the seeds name. Judged on the addresses that are connected to, never on the text of a name alone.
 */
export function createGuard(allow: readonly string[], ports: readonly string[] = []): Guard {
  const allowed = new Set(allow.map((h) => bare(h)));
  const named = new Set(ports);
  const isAllowed = (host: string, port: string) => allowed.has(bare(host)) || allowed.has(`${bare(host)}:${port}`);
  const admits = (host: string, port: string, address: string) => isAllowed(host, port) || isPublicAddress(address);
  return {
    refuses(url) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'scheme';
      const host = bare(url.hostname);
      const port = url.port || (url.protocol === 'https:' ? '443' : '80');
      if (isAllowed(host, port)) return null;
      if (isIP(host) ? !isPublicAddress(host) : PRIVATE_NAME.test(host) || !host.includes('.')) return 'address';
      return PORTS.has(url.port) || named.has(url.port) ? null : 'port';
    },
    admits,
    lookup: (port) => (host, options, callback) => {
      dnsLookup(host, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, []);
        // Mixed answers, one public and one private, are the attack: any private one refuses all.
        const bad = addresses.find((a) => !admits(host, port, a.address));
        if (bad || addresses.length === 0) {
          const refusal = Object.assign(new Error(`${host} has an address that is not public`), {
            code: REFUSED_ADDRESS,
          });
          return callback(refusal, []);
        }
        if (options.all) return callback(null, addresses);
        return callback(null, addresses[0]!.address, addresses[0]!.family);
      });
    },
  };
}
