import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder } from '../../core/native/compile.ts';
import { GarnerError } from '../../core/errors.ts';
import { openCatalog, type Catalog } from '../../datasets/lake/catalog.ts';
import { exportParquet, query, stream } from '../../datasets/lake/query.ts';
import { wholeNumber } from '../arguments.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { defineCommand, formatError, type Terminal } from '../command.ts';
import { formatTable, terminalWidth, type Cell } from '../table.ts';

interface Format {
  json?: boolean;
  csv?: boolean;
  parquet?: string;
  limit: number;
}

export default defineCommand({
  name: 'sql',
  summary: 'ask the lake in SQL (DuckDB); a prompt without a query',
  arguments: [{ name: '[query]', about: 'one SELECT; - reads it from standard input' }],
  options: [
    LAKE_FLAG,
    { flag: '--recipe <name>', about: 'whose outputs, where several recipes ran (default: the last)' },
    { flag: '--tables', about: 'list tables and what each column means' },
    { flag: '--json', about: 'JSON lines' },
    { flag: '--csv', about: 'comma-separated values' },
    { flag: '--parquet <file>', about: 'write the result to a Parquet file' },
    { flag: '--limit <n>', about: 'rows shown in a table', default: 40, parse: wholeNumber('--limit', 1) },
    { flag: '--raw', about: 'also documents_extracted: text before masking' },
  ],
  examples: [
    'garner sql "select language, count(*), sum(words) from documents where keep group by 1"',
    'garner sql "select reason, count(*) from documents group by 1 order by 2 desc" --csv',
  ],
  async run([text], options, terminal) {
    const format: Format = {
      json: options['json'] === true,
      csv: options['csv'] === true,
      limit: options['limit'] as number,
    };
    if (options['parquet'] !== undefined) format.parquet = options['parquet'] as string;
    const catalog = await openCatalog(lakeOf(options), {
      recipe: options['recipe'] as string | undefined,
      raw: options['raw'] === true,
      writable: format.parquet,
    });
    const stop = () => catalog.connection.interrupt();
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    try {
      if (options['tables']) {
        listTables(catalog, terminal);
        return 0;
      }
      if (text === undefined && terminal.stdin.isTTY) return await prompt(catalog, format, terminal);
      const sql = text === undefined || text === '-' ? await readAll(terminal) : text;
      await answer(catalog, sql, format, terminal);
      return 0;
    } catch (error) {
      if (interrupted(error)) {
        terminal.stderr.write('garner: stopped\n');
        return 130;
      }
      throw error;
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      catalog.close();
    }
  },
});

const interrupted = (error: unknown) => /INTERRUPT/.test(String((error as Error).message));

async function readAll(terminal: Terminal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of terminal.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

async function answer(catalog: Catalog, sql: string, format: Format, terminal: Terminal): Promise<void> {
  if (format.parquet !== undefined) {
    await exportParquet(catalog, sql, format.parquet);
    terminal.stderr.write(`written to ${format.parquet}\n`);
    return;
  }
  const write = async (piece: string) => {
    if (!terminal.stdout.write(piece)) await once(terminal.stdout, 'drain');
  };
  if (format.json || format.csv) {
    const { columns, batches } = await stream(catalog, sql);
    const names = columns.map((c) => c.unique);
    const asLine = (row: unknown[]) => {
      try {
        if (format.csv) return row.map(csvCell).join(',');
        return JSON.stringify(Object.fromEntries(names.map((n, i) => [n, row[i]])));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw new GarnerError(
          {
            what: 'a row is too long for a line of text',
            where: 'sql',
            hint: 'write it with --parquet FILE',
            fault: 2,
          },
          error,
        );
      }
    };
    if (format.csv) await write(`${columns.map((c) => csvCell(c.name)).join(',')}\n`);
    for await (const rows of batches) {
      let piece = '';
      for (const row of rows) {
        piece += `${asLine(row)}\n`;
        if (piece.length < 1 << 16) continue;
        await write(piece);
        piece = '';
      }
      await write(piece);
    }
    return;
  }
  const { columns, rows, truncated } = await query(catalog, sql, format.limit);
  const names = columns.map((c) => c.name);
  const cells = rows.map((row) => row.map(cell));
  await write(`${formatTable(names, cells, terminalWidth(terminal))}\n`);
  await write(
    truncated
      ? `(the first ${rows.length} rows; --limit N shows more, --json and --csv all)\n`
      : `(${rows.length} row${rows.length === 1 ? '' : 's'})\n`,
  );
}

const cell = (value: unknown): Cell =>
  value !== null && typeof value === 'object' ? JSON.stringify(value) : (value as Cell);

function csvCell(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value as string | number | boolean);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function listTables(catalog: Catalog, terminal: Terminal): void {
  for (const view of catalog.views) {
    terminal.stdout.write(`\n${view.name}: ${view.about}\n`);
    for (const c of view.columns) terminal.stdout.write(`  ${c.name.padEnd(34)} ${c.about}\n`);
  }
  const others = catalog.recipes.filter((r) => r !== catalog.recipe);
  terminal.stdout.write(
    `\nrecipe: ${catalog.recipe ?? 'none was run yet'}${others.length > 0 ? ` (also on this lake: ${others.join(', ')}; choose with --recipe)` : ''}\n`,
  );
}

/** A prompt with history: a statement ends with ";", .tables and .exit are words of its own. */
async function prompt(catalog: Catalog, format: Format, terminal: Terminal): Promise<number> {
  const historyFile = join(cacheFolder(), 'sql-history');
  const history = readHistory(historyFile);
  const reader = createInterface({
    input: terminal.stdin,
    output: terminal.stdout,
    history,
    historySize: 500,
    prompt: 'garner> ',
  });
  terminal.stdout.write(
    `lake ${catalog.lake}, recipe ${catalog.recipe ?? 'none'}. End a query with ";". Also: .tables, .exit\n`,
  );
  let pending = '';
  let running = false;
  reader.on('SIGINT', () => {
    if (running) catalog.connection.interrupt();
    else if (pending === '' && reader.line === '') reader.close();
    else {
      // As in a shell: Ctrl-C gives up what is being written, and leaves on an empty line.
      pending = '';
      terminal.stdout.write('\n');
      reader.write(null, { ctrl: true, name: 'e' });
      reader.write(null, { ctrl: true, name: 'u' });
      reader.setPrompt('garner> ');
      reader.prompt();
    }
  });
  reader.prompt();
  for await (const line of reader) {
    const word = line.trim();
    if (pending === '' && (word === '.exit' || word === '.quit')) break;
    if (pending === '' && word === '.tables') listTables(catalog, terminal);
    else if (pending === '' && word.startsWith('.')) terminal.stdout.write('.tables and .exit are all there is\n');
    else if (word !== '' || pending !== '') {
      pending = pending === '' ? line : `${pending}\n${line}`;
      if (word.endsWith(';')) {
        running = true;
        try {
          await answer(catalog, pending, format, terminal);
        } catch (error) {
          if (interrupted(error)) terminal.stdout.write('stopped\n');
          else if (error instanceof GarnerError) terminal.stdout.write(`${formatError(error)}\n`);
          else throw error;
        }
        running = false;
        pending = '';
      }
    }
    reader.setPrompt(pending === '' ? 'garner> ' : '   ...> ');
    reader.prompt();
  }
  const lines = (reader as unknown as { history: string[] }).history ?? [];
  try {
    mkdirSync(cacheFolder(), { recursive: true });
    writeFileSync(historyFile, `${lines.slice(0, 500).toReversed().join('\n')}\n`, { mode: 0o600 });
  } catch {
    // No place to keep it: the next session begins without.
  }
  reader.close();
  return 0;
}

/** Lines of earlier sessions, the last one first; none where they cannot be read. */
function readHistory(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).toReversed();
  } catch {
    return [];
  }
}
