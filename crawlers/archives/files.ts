import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import type { FileSource, FileType } from './recipe.ts';

const EXTENSIONS: Record<string, FileType> = {
  '.warc': 'warc',
  '.arc': 'warc',
  '.wet': 'warc',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.parquet': 'parquet',
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
};
const PACKED = /\.(zst|zstd|bz2|xz|zip|tar|tgz|7z)$/i;

/** What a file is, by its name; null where the name does not say. */
export function typeByName(path: string): FileType | null {
  const name = basename(path).toLowerCase().replace(/\.gz$/, '');
  const dot = name.lastIndexOf('.');
  return (dot >= 0 && EXTENSIONS[name.slice(dot)]) || null;
}

/** `shards/news.jsonl.gz` → `news`; a folder's own name; for a pattern the folder before the first star. */
export function sourceName(source: Pick<FileSource, 'path' | 'name'>): string {
  if (source.name !== undefined) return source.name;
  const path = isPattern(source.path) ? patternRoot(source.path) : source.path;
  const stem = basename(resolve(path))
    .replace(/\.gz$/i, '')
    .replace(/\.(warc\.wet|warc|arc|wet|jsonl|ndjson|parquet|html|htm|xhtml)$/i, '');
  return stem.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[._-]+/, '') || 'files';
}

export interface InputFile {
  /** Absolute path. */
  path: string;
  type: FileType;
  /** Path from the source's folder with "/" between the parts, or the file's name: what ids and locations are made of. */
  name: string;
  bytes: number;
}

/**
 * The files of a source, sorted by name: the file itself, all files of a folder, or what a pattern matches.
 * Files of a folder or pattern whose kind is unknown, and hidden ones, are passed over.
 * Throws a GarnerError (exit 2) where nothing is found, or where the kind of a named file is not known.
 */
export function listFiles(source: FileSource): InputFile[] {
  const pattern = isPattern(source.path) && !existsSync(source.path);
  const root = pattern ? patternRoot(source.path) : resolve(source.path);
  if (!existsSync(root))
    throw new GarnerError({
      what: 'no such file or folder',
      where: source.path,
      hint: 'check "path" under "files" in the recipe',
      fault: 2,
    });
  if (!pattern && statSync(root).isFile()) {
    const type = source.type ?? typeByName(root);
    if (!type) {
      throw new GarnerError({
        what: 'the kind of this file is not known from its name',
        where: source.path,
        hint: PACKED.test(root)
          ? 'of packed files only .gz is read: unpack it first'
          : 'add type: warc, jsonl, parquet or html beside its path',
        fault: 2,
      });
    }
    return [{ path: root, type, name: basename(root), bytes: statSync(root).size }];
  }
  const wanted = pattern ? patternTest(source.path) : () => true;
  const found: InputFile[] = [];
  for (const path of filesBelow(root)) {
    const type = source.type ?? typeByName(path);
    if (!type || !wanted(path)) continue;
    found.push({ path, type, name: relative(root, path).split(sep).join('/'), bytes: statSync(path).size });
  }
  if (found.length === 0) {
    throw new GarnerError({
      what: pattern ? 'the pattern matches no file that garner reads' : 'the folder holds no file that garner reads',
      where: source.path,
      hint: 'names end in .jsonl, .parquet, .html or .warc (each also .gz); else say type: beside the path',
      fault: 2,
    });
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function filesBelow(folder: string): string[] {
  const files: string[] = [];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isFile()))
        files.push(path);
    }
  }
  return files;
}

const isPattern = (path: string): boolean => /[*?]/.test(path);

function patternRoot(path: string): string {
  const parts = path.split('/');
  const first = parts.findIndex(isPattern);
  const root = parts.slice(0, first).join('/');
  return resolve(root === '' && isAbsolute(path) ? '/' : root || '.');
}

/** `**` stands for any folders, `*` for anything within a name, `?` for one character. */
function patternTest(pattern: string): (path: string) => boolean {
  const full = isAbsolute(pattern) ? pattern : join(resolve('.'), pattern);
  const source = full
    .split('/')
    .map((part) =>
      part === '**'
        ? '**'
        : part
            .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
            .replace(/\*+/g, '[^/]*')
            .replace(/\?/g, '[^/]'),
    )
    .join('/')
    .replaceAll('**/', '(?:[^/]+/)*')
    .replace(/\*\*$/, '.*');
  const regex = new RegExp(`^${source}$`, 'u');
  return (path) => regex.test(path);
}
