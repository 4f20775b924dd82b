import { randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Who may speak to the studio. */
export interface Access {
  /** Stands in the URL that the terminal prints; new with each start. */
  token: string;
  /** What the cookie holds; the same after a restart, so that an open page goes on. */
  secret: string;
  port: number;
}

/** What is asked, as far as access is concerned. */
export interface Asked {
  method: string;
  host: string | undefined;
  origin: string | undefined;
  /** The browser's own word on where a request comes from. */
  site: string | undefined;
  /** Its word on what for: `navigate` where a person opens an address. */
  mode: string | undefined;
}

const LONGEST_SECRET_AGE = 7 * 86_400_000; // ms
const random = () => randomBytes(24).toString('base64url');

/** The name of the cookie: cookies do not tell ports apart, so the port stands in it. */
const cookieName = (port: number): string => `garner_studio_${port}`;

const same = (a: string, b: string): boolean => {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
};

/** Access with a new token and the secret that `path` keeps (owner only), a new one each week. */
export function openAccess(path: string, port: number): Access {
  const old =
    existsSync(path) && Date.now() - statSync(path).mtimeMs < LONGEST_SECRET_AGE
      ? readFileSync(path, 'utf8').trim()
      : '';
  const secret = /^[\w-]{32}$/.test(old) ? old : random();
  if (secret !== old) {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  }
  return { token: random(), secret, port };
}

/** The one address that a browser may know this server by; another name (DNS rebinding) is refused. */
const isOwnHost = (access: Access, host: string | undefined): boolean =>
  host === `127.0.0.1:${access.port}` || host === `localhost:${access.port}`;

/**
 * Why a request is refused, or null. Host always; Origin must be our own where the browser sends one, and be there
 * for everything that changes something; another page, one of another port too, may link here and not even read.
 */
export function refusal(access: Access, asked: Asked): string | null {
  if (!isOwnHost(access, asked.host)) return 'this server answers to 127.0.0.1 and localhost only';
  const reads = asked.method === 'GET' || asked.method === 'HEAD';
  if (asked.origin !== undefined ? asked.origin !== `http://${asked.host}` : !reads)
    return 'the request comes from another page';
  const elsewhere = asked.site !== undefined && asked.site !== 'same-origin';
  if (elsewhere && !(reads && (asked.site === 'none' || asked.mode === 'navigate')))
    return 'the request comes from another page';
  return null;
}

/** Whether the token of a URL is the right one. */
export const isToken = (access: Access, token: string): boolean => same(token, access.token);

/** Whether the request bears the cookie. */
export function hasCookie(access: Access, cookie: string | undefined): boolean {
  const name = `${cookieName(access.port)}=`;
  const found = (cookie ?? '')
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(name));
  return found !== undefined && same(found.slice(name.length), access.secret);
}

/** The header that a browser keeps the secret from scripts and other sites with. */
export const setCookie = (access: Access): string =>
  `${cookieName(access.port)}=${access.secret}; HttpOnly; SameSite=Strict; Path=/`;
