import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { listFiles } from '../../crawlers/archives/files.ts';
import { fieldsOf, readPageFile } from '../../crawlers/archives/html.ts';
import { headerValues } from '../../crawlers/archives/http-message.ts';
import { contentOf, field, readRecords as readWarc } from '../../crawlers/archives/warc.ts';
import { extract, type ExtractHints } from '../../crawlers/extract/index.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { pipe, writeRecord, type Id, type PipeRecord } from '../pipe.ts';

export default defineCommand({
  name: 'extract',
  summary: 'find the main text of HTML: a folder, a WARC file, or JSON lines {id, html} or {id, path}',
  arguments: [{ name: '[files...]', about: 'WARC files, or a file of JSON lines; - or nothing for standard input' }],
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
      if (/\.(?:warc|arc)(?:\.gz)?$/i.test(file)) await archive(file, terminal);
      else await pipe(file, terminal, answer);
    }
    return 0;
  },
});

/** A page as one line: what is not known is left out. */
function line(id: Id, input: Uint8Array | string, hints: ExtractHints = {}): Record<string, unknown> {
  const page = extract(input, hints);
  const { text, metadata, ...rest } = fieldsOf(page);
  const known = Object.entries({ ...rest, ...metadata }).filter(([, value]) => value !== null);
  return { id, text, ...Object.fromEntries(known), ...(page.reason ? { error: page.reason } : {}) };
}

async function folder(path: string, terminal: Terminal): Promise<void> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new GarnerError({
      what: 'no such folder',
      where: path,
      hint: 'name a folder that holds HTML files',
      fault: 2,
    });
  for (const file of listFiles({ path, text: 'text' }).filter((f) => f.type === 'html')) {
    const bytes = await readPageFile(file.path);
    await writeRecord(terminal, bytes ? line(file.name, bytes) : { id: file.name, error: 'too_large' });
  }
}

async function answer(record: PipeRecord): Promise<unknown> {
  const { id, html, path, url, charset } = record;
  const hints: ExtractHints = {
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof charset === 'string' ? { charset } : {}),
  };
  if (typeof html === 'string') return line(id, html, hints);
  if (typeof path !== 'string') return { id, error: 'no_html' };
  try {
    const bytes = await readPageFile(resolve(path));
    return bytes ? line(id, bytes, hints) : { id, error: 'too_large' };
  } catch (error) {
    return { id, error: 'unreadable', reason: (error as Error).message };
  }
}

const TEXT_TYPE = /^\s*(text\/html|application\/xhtml\+xml|text\/plain)\b/i;

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
    const stated = headerValues(content.headers, 'content-type')[0] ?? '';
    const mediaType = TEXT_TYPE.exec(stated)?.[1]?.toLowerCase();
    if ((content.status ?? 200) !== 200 || !mediaType || /^https?:\/\/[^/]{1,300}\/robots\.txt$/i.test(url ?? ''))
      continue;
    const charset = /charset\s{0,4}=\s{0,4}["']?([\w.:-]{1,40})/i.exec(stated)?.[1];
    const { id: _, ...rest } = line(id, content.body, { url, headers: content.headers, mediaType, charset });
    await writeRecord(terminal, { id, url, ...rest });
  }
}
