import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { explainSystemError, GarnerError } from '../../core/errors.ts';
import { inside, sync } from '../../core/files.ts';
import { createFile, type ExportedFile } from './file.ts';
import type { CreateFile } from './types.ts';

/** The file that says what an export is; it comes last. */
export const MANIFEST = 'export.json';

/** A folder in the making: it takes its place by one rename, so that a kill leaves nothing that looks finished. */
export interface Staging {
  path: string;
  create: CreateFile;
  /** Counts a file that something else wrote. */
  keep(file: ExportedFile): void;
  files: ExportedFile[];
  /** Puts everything in its place; the manifest last where the folder itself cannot be renamed. */
  publish(): Promise<void>;
  discard(): void;
}

/** An export that stands in a folder. */
export interface Standing {
  key: string;
  files: { path: string; bytes: number }[];
}

/**
 * The folder that `out` names, absolute, links followed: a rename would put itself in a link's place. Throws a GarnerError
 * where a link leads nowhere.
 */
export function exportFolder(out: string): string {
  const full = resolve(out);
  try {
    if (existsSync(full)) return realpathSync(full);
    if (!lstatSync(full, { throwIfNoEntry: false })) return join(exportFolder(dirname(full)), basename(full));
  } catch (error) {
    throw explainSystemError(error, full);
  }
  throw new GarnerError({ what: 'a link to nothing', where: out, hint: 'name a folder with --out', fault: 2 });
}

/**
 * What stands in a folder: null where it is absent or empty. Throws a GarnerError where it holds anything else than an
 * export of garner's and nothing more.
 */
export function standingExport(out: string): Standing | null {
  if (!existsSync(out)) return null;
  if (!statSync(out).isDirectory())
    throw new GarnerError({ what: 'a file is there already', where: out, hint: 'name a folder with --out', fault: 2 });
  const refuse = (what: string) =>
    new GarnerError({ what, where: out, hint: 'choose an empty or new folder with --out DIR', fault: 2 });
  const other = 'the folder holds other files and is no export of garner’s';
  const standing = readStanding(join(out, MANIFEST));
  // Before all that lies below is listed: it may be a whole disk.
  if (!standing && readdirSync(out, { withFileTypes: true }).some((e) => !e.isDirectory())) throw refuse(other);
  const names = filesBelow(out);
  if (names.length === 0) return null;
  if (!standing) throw refuse(other);
  const ours = new Set([MANIFEST, ...standing.files.map((f) => f.path)]);
  const foreign = names.find((name) => !ours.has(name));
  if (foreign !== undefined) throw refuse(`the folder holds an export, and beside it ${foreign}`);
  return standing;
}

/** True where every file of an export has the size that its manifest states. */
export const isWhole = (out: string, standing: Standing): boolean =>
  standing.files.every((f) => statSync(join(out, f.path), { throwIfNoEntry: false })?.size === f.bytes);

function readStanding(path: string): Standing | null {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as (Standing & { garner?: unknown }) | null;
    const known = typeof manifest?.garner === 'string' && typeof manifest.key === 'string';
    const isFile = (file: Partial<Standing['files'][number]> | null) =>
      typeof file?.path === 'string' && typeof file.bytes === 'number';
    return known && Array.isArray(manifest.files) && manifest.files.every(isFile) ? manifest : null;
  } catch {
    return null;
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => !e.isDirectory())
    .map((e) => relative(folder, join(e.parentPath, e.name)))
    .filter((name) => !name.startsWith(UNFINISHED));

const UNFINISHED = '.unfinished-';

/** Names of half-made folders beside `out` or in it; the host and process keep two exports apart. */
const stagingName = (pid: number | string) => `${hostname()}-${pid}`;

const isMounted = (path: string): boolean => existsSync(path) && statSync(path).dev !== statSync(dirname(path)).dev;

/**
 * Begins an export into `out`, which must be absent, empty or an export of ours; clears what killed ones left. A mounted
 * volume cannot be put in place by a rename: there the files are made inside and moved one by one, the manifest last.
 */
export function openStaging(given: string, mounted = isMounted(resolve(given))): Staging {
  const out = resolve(given);
  const prefix = mounted ? join(out, UNFINISHED) : `${out}${UNFINISHED}`;
  const path = `${prefix}${stagingName(process.pid)}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    clearAbandoned(prefix);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  } catch (error) {
    throw explainSystemError(error, out);
  }
  const files: ExportedFile[] = [];
  return {
    path,
    files,
    create: (name) => {
      inside(path, name);
      return createFile(path, name, (file) => void files.push(file));
    },
    keep: (file) => void files.push(file),
    async publish() {
      await sync(path);
      try {
        if (mounted) moveFiles(path, out);
        else replaceFolder(path, out);
      } catch (error) {
        throw explainSystemError(error, out);
      }
      await sync(dirname(out));
    },
    discard: () => rmSync(path, { recursive: true, force: true }),
  };
}

function clearAbandoned(prefix: string): void {
  const start = `${basename(prefix)}${stagingName('')}`;
  for (const name of readdirSync(dirname(prefix))) {
    const pid = name.startsWith(start) ? Number.parseInt(name.slice(start.length), 10) : 0;
    if (pid > 0 && pid !== process.pid && !alive(pid))
      rmSync(join(dirname(prefix), name), { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

function replaceFolder(path: string, out: string): void {
  if (existsSync(out) && readdirSync(out).length > 0) {
    const old = `${path}-old`;
    rmSync(old, { recursive: true, force: true });
    renameSync(out, old);
    renameSync(path, out);
    rmSync(old, { recursive: true, force: true });
  } else {
    if (existsSync(out)) rmdirSync(out);
    renameSync(path, out);
  }
}

function moveFiles(path: string, out: string): void {
  rmSync(join(out, MANIFEST), { force: true });
  for (const name of readdirSync(out)) if (!name.startsWith(UNFINISHED)) rmSync(join(out, name), { recursive: true });
  const names = filesBelow(path).toSorted((a, b) => Number(a === MANIFEST) - Number(b === MANIFEST));
  for (const name of names) {
    mkdirSync(dirname(join(out, name)), { recursive: true });
    renameSync(join(path, name), join(out, name));
  }
  rmSync(path, { recursive: true, force: true });
}
