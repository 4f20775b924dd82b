import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { listFiles, typeByName } from '../../crawlers/archives/files.ts';
import { fieldsOf, readPageFile } from '../../crawlers/archives/html.ts';
import { contentType } from '../../crawlers/archives/http-message.ts';
import { contentOf, field, readRecords as readWarc } from '../../crawlers/archives/warc.ts';
import { extract, type ExtractHints } from '../../crawlers/extract/index.ts';
import { isPage, outcomeOfStatus } from '../../crawlers/web/outcome.ts';
import { isRobotsTxt } from '../../crawlers/web/robots.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { pipe, writeRecord, type PipeRecord } from '../pipe.ts';

export default defineCommand({
  name: 'extract',
  summary: 'find the main text of HTML: a folder, pages, WARC files, or JSON lines {id, html} or {id, path}',
  arguments: [{ name: '[files...]', about: 'WARC or HTML files, or JSON lines; - or nothing for standard input' }],
  options: [{ flag: '--html <dir>', about: 'a folder of HTML files (also .gz); id is the path below it' }],
  examples: [
    'garner extract --html saved-pages > texts.jsonl',
    'garner extract CC-MAIN-1.warc.gz | garner filter --filters c4',
    `echo '{"id":"1","html":"<p>Hello there, this is a text.</p>"}' | garner extract`,
  ],
  async run(files, { html }, terminal) {
    if (typeof html === 'string') await folder(html, terminal);
    else if (files.length === 0) return pipe(undefined, terminal, answer);
    for (const file of files) {
      const type = typeByName(file);
      if (type === 'warc') await archive(file, terminal);
      else if (type === 'html') await page(file, terminal);
      else await pipe(file, terminal, answer);
    }
    return 0;
  },
});

type Id = PipeRecord['id'];

/** A page as one line: what is not known is left out. */
function line(id: Id, input: Uint8Array | string, hints: ExtractHints = {}): Record<string, unknown> {
  const found = extract(input, hints);
  const { text, metadata, ...rest } = fieldsOf(found);
  const known = Object.entries({ ...rest, ...metadata }).filter(([, value]) => value !== null);
  return { id, text, ...Object.fromEntries(known), ...(found.reason ? { error: found.reason } : {}) };
}

/** A file of HTML as one line; one that cannot be read is a line too, so that the others still come. */
async function lineOfFile(id: Id, path: string, hints: ExtractHints = {}): Promise<Record<string, unknown>> {
  try {
    const bytes = await readPageFile(path);
    return bytes ? line(id, bytes, hints) : { id, error: 'too_large' };
  } catch (error) {
    return { id, error: 'unreadable', reason: (error as Error).message };
  }
}

async function folder(path: string, terminal: Terminal): Promise<void> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new GarnerError({
      what: 'no such folder',
      where: path,
      hint: 'name a folder that holds HTML files',
      fault: 2,
    });
  for (const file of listFiles({ path, text: 'text' }).filter((f) => f.type === 'html'))
    await writeRecord(terminal, await lineOfFile(file.name, file.path));
}

async function page(path: string, terminal: Terminal): Promise<void> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new GarnerError({
      what: 'no such file',
      where: path,
      hint: 'a folder of pages is named by --html',
      fault: 2,
    });
  await writeRecord(terminal, await lineOfFile(path, path));
}

function answer({ id, html, path, url, charset }: PipeRecord): unknown {
  const hints: ExtractHints = {
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof charset === 'string' ? { charset } : {}),
  };
  if (typeof html === 'string') return line(id, html, hints);
  return typeof path === 'string' ? lineOfFile(id, resolve(path), hints) : { id, error: 'no_html' };
}

/** Every page of a WARC file; records of other kinds, and answers that are no page, are passed over. */
async function archive(path: string, terminal: Terminal): Promise<void> {
  for await (const record of readWarc(path)) {
    if (record.kind === 'damage') {
      terminal.stderr.write(`garner: ${path}: at byte ${record.offset}: ${record.reason}\n`);
      continue;
    }
    if (!['response', 'resource', 'conversion'].includes(record.type)) continue;
    const id = field(record, 'WARC-Record-ID')?.replace(/^<urn:uuid:|^<|>$/g, '') ?? `${path}:${record.offset}`;
    const url = field(record, 'WARC-Target-URI') ?? null;
    const content = contentOf(record);
    if (!content.ok) {
      await writeRecord(terminal, { id, url, error: content.reason });
      continue;
    }
    const { status, headers, body } = content;
    const { mediaType, charset } = contentType(headers);
    if (status !== null && outcomeOfStatus(status)[0] !== 'fetched') continue;
    if (!isPage(mediaType, body) || isRobotsTxt(url ?? '')) continue;
    const { id: _, ...rest } = line(id, body, { url, headers, mediaType, charset });
    await writeRecord(terminal, { id, url, ...rest });
  }
}
