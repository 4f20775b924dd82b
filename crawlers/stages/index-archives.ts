import { statSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { outputFolder } from '../../core/lake/layout.ts';
import { writeTable } from '../../core/lake/parquet.ts';
import { captures } from '../../core/records/index.ts';
import { dependencyVersion } from '../../core/root.ts';
import { defineStage } from '../../core/stage/index.ts';
import { listFiles, sourceName } from '../archives/files.ts';
import type { FilesRecipe } from '../archives/recipe.ts';
import { obeyedOptOuts, type OptOutRecipe } from './opt-outs.ts';
import { captureOfDamage, captureOfRecord, reencode } from '../archives/warc-captures.ts';
import { readRecords } from '../archives/warc.ts';

interface Archive {
  source: string;
  path: string;
  bytes: number;
  /** Milliseconds since 1970: a file that was written anew is read anew. */
  modified: number;
}

interface Params {
  archives: Archive[];
  /** Most rows an archive gives; null: all. */
  limit: number | null;
  /** Opt-outs that make a page refused. */
  obey: readonly string[];
  versions: Record<string, string>;
}

/**
 * WARC and ARC files → a table an archive: one row a response, resource, conversion or revisit, and one a damaged stretch.
 * The archives stay where they are. Records that share a gzip member cannot be read alone: they are copied beside the
 * table, each into a member of its own.
 */
export default defineStage<FilesRecipe & OptOutRecipe, Params>({
  name: 'index',
  version: 1,
  module: 'crawlers/stages/index-archives',
  inputs: [],
  params(recipe) {
    const { files, limit } = recipe;
    const archives = (files ?? []).flatMap((source) =>
      listFiles(source)
        .filter((f) => f.type === 'warc')
        .map(({ path, bytes }) => {
          const modified = Math.round(statSync(path).mtimeMs);
          return { source: sourceName(source), path, bytes, modified };
        }),
    );
    if (archives.length === 0) return null;
    return {
      archives,
      limit: limit ?? null,
      obey: obeyedOptOuts(recipe),
      versions: { parse5: dependencyVersion('parse5') },
    };
  },
  tasks: (_, { archives }) =>
    archives.map((archive, i) => ({ id: `archive-${String(i).padStart(5, '0')}`, input: archive })),
  async run(task, { limit, obey }, context) {
    const { source, path, bytes } = task.input as Archive;
    const table = await writeTable(context.file('captures', `${task.id}.parquet`), captures);
    const copyName = `${task.id}.warc.gz`;
    let copy: { path: string; size: number } | null = null;
    const counts: Record<string, number> = { urls: 0 };
    const add = (row: Parameters<typeof table.append>[0]) => {
      table.append(row);
      counts['urls']!++;
      counts[row.outcome] = (counts[row.outcome] ?? 0) + 1;
    };
    for await (const record of readRecords(path)) {
      if (limit !== null && counts['urls']! >= limit) break;
      if (record.kind === 'damage') {
        add(captureOfDamage(source, path, record));
        continue;
      }
      const row = captureOfRecord(source, path, record, obey);
      if (!row) continue;
      if (record.offset === null && record.block !== null) {
        if (!copy) {
          copy = { path: context.file('captures', copyName), size: 0 };
          await writeFile(copy.path, '');
        }
        const member = gzipSync(reencode(record), { level: 6 });
        await appendFile(copy.path, member);
        row.warc_file = join(outputFolder('captures', 'index', 'index', context.key()), copyName);
        [row.warc_offset, row.warc_length] = [copy.size, member.length];
        copy.size += member.length;
      }
      add(row);
      if (counts['urls']! % 64 === 0) context.progress(record.offset ?? 0, bytes, basename(path));
    }
    await table.close();
    return counts;
  },
});
