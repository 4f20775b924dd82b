import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { documentId } from '../../../core/hash.ts';
import { openLake } from '../../../core/lake/lake.ts';
import { writeTable } from '../../../core/lake/parquet.ts';
import { captures, type Capture } from '../../../core/records/index.ts';
import { defineStage, type AnyStage } from '../../../core/stage/index.ts';
import extract from '../../../crawlers/stages/extract.ts';
import { runStages } from './lake.ts';

let lake = '';
let folder = '';
beforeEach(async () => {
  lake = await openLake(mkdtempSync(join(tmpdir(), 'garner-extract-')));
  folder = mkdtempSync(join(tmpdir(), 'garner-warc-'));
});
afterEach(() => {
  for (const f of [lake, folder]) rmSync(f, { recursive: true, force: true });
});

interface Answer {
  url: string;
  body: string | Buffer;
  type?: string;
  headers?: string[];
  at?: number;
  over?: Partial<Capture>;
}

/** Writes a WARC file with the answers and a stage `crawl` that gives their captures. */
function crawlOf(answers: readonly Answer[]): AnyStage {
  const warc = join(folder, 'site.warc.gz');
  writeFileSync(warc, '');
  let offset = 0;
  const rows = answers.map(({ url, body, type = 'text/html', headers = [], at = 1, over = {} }, i): Capture => {
    const http = Buffer.concat([
      Buffer.from(['HTTP/1.1 200 OK', `Content-Type: ${type}`, ...headers, '', ''].join('\r\n')),
      Buffer.from(body),
    ]);
    const head = [
      'WARC/1.1',
      'WARC-Type: response',
      `WARC-Target-URI: ${url}`,
      `WARC-Record-ID: <urn:uuid:${i}>`,
      'WARC-Date: 2024-01-01T00:00:00Z',
      'Content-Type: application/http; msgtype=response',
      `Content-Length: ${http.length}`,
      '',
      '',
    ];
    const member = gzipSync(Buffer.concat([Buffer.from(head.join('\r\n')), http, Buffer.from('\r\n\r\n')]));
    appendFileSync(warc, member);
    const row: Capture = {
      id: `capture-${i}`,
      source: 'web',
      url,
      referrer: null,
      depth: 0,
      fetched_at: at,
      status: 200,
      media_type: type.split(';')[0]!,
      charset: null,
      bytes: http.length,
      digest: null,
      warc_file: warc,
      warc_offset: offset,
      warc_length: member.length,
      outcome: 'fetched',
      reason: null,
      location: null,
      opt_outs: [],
      licence: null,
      ...over,
    };
    offset += member.length;
    return row;
  });
  return defineStage({
    name: 'crawl',
    version: 1,
    module: 'none',
    inputs: [],
    identity: 'content',
    params: () => ({}),
    tasks: () => [{ id: 'crawl', input: null }],
    async run(_task, _p, io) {
      const table = await writeTable(io.file('captures', 'part-00000.parquet'), captures);
      for (const row of rows) table.append(row);
      await table.close();
      return {};
    },
  });
}

const page = (text: string, head = '') =>
  `<html><head><title>T</title>${head}</head><body><nav><a href="/">Home</a> <a href="/b">Blog</a></nav><main><p>${text}</p></main><footer>© Site</footer></body></html>`;
const PROSE = 'This is a paragraph about rivers and the people who live beside them, written with some care.';
const start = (answers: readonly Answer[], recipe: object = {}) =>
  runStages(lake, [crawlOf(answers), extract], { crawl: {}, ...recipe });

test('pages become documents in the order of the captures; the rest become decisions with a reason', async () => {
  const { rows, refused, report } = await start([
    {
      url: 'https://e.org/1',
      body: page(
        PROSE,
        '<meta name=author content="Ann Lee"><meta property="article:published_time" content="2024-05-06T07:08:09Z">',
      ),
    },
    { url: 'https://e.org/2', body: page(PROSE), at: 1 },
    {
      url: 'https://e.org/gbk',
      body: Buffer.from([
        ...Buffer.from('<p>'),
        0xc4,
        0xe3,
        0xba,
        0xc3,
        0xa3,
        0xac,
        0xca,
        0xc0,
        0xbd,
        0xe7,
        0xa1,
        0xa3,
      ]),
      type: 'text/html; charset=gbk',
    },
    { url: 'https://e.org/2', body: page(`Newer. ${PROSE}`), at: 2 },
    { url: 'https://e.org/noai', body: page(PROSE, '<meta name="robots" content="index, noai">') },
    { url: 'https://e.org/tdm', body: page(PROSE), headers: ['TDM-Reservation: 1'] },
    { url: 'https://e.org/pdf', body: '%PDF', type: 'application/pdf' },
    { url: 'https://e.org/empty', body: '<html></html>' },
    { url: 'https://e.org/t.txt', body: 'Plain\r\n\r\n  text <b>stays</b>.\r\n', type: 'text/plain' },
    { url: 'https://e.org/gone', body: 'x', over: { outcome: 'failed', reason: 'timeout' } },
    { url: 'https://e.org/broken', body: page(PROSE), over: { warc_offset: 3 } },
    { url: 'https://e.org/zip', body: Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.alloc(3000, 1)]) },
    { url: 'https://e.org/robots.txt', body: 'User-agent: *', type: 'text/plain' },
    { url: 'https://e.org/untyped', body: `<!doctype html>${page(PROSE)}`, type: 'application/octet-stream' },
  ]);
  expect(rows.map((r) => [r.url, r.text, r.capture_id])).toEqual([
    ['https://e.org/1', PROSE, 'capture-0'],
    ['https://e.org/gbk', '你好，世界。', 'capture-2'],
    ['https://e.org/2', `Newer. ${PROSE}`, 'capture-3'],
    ['https://e.org/t.txt', 'Plain\n\n  text <b>stays</b>.', 'capture-8'],
    ['https://e.org/untyped', PROSE, 'capture-13'],
  ]);
  expect(rows[0]).toMatchObject({
    id: documentId('web', 'https://e.org/1'),
    author: 'Ann Lee',
    published: '2024-05-06T07:08:09Z',
    title: 'T',
  });
  expect(refused.map((d) => [d.subject_id, d.rule, d.verdict, d.evidence])).toEqual([
    ['capture-1', 'superseded', 'drop', 'capture-3'],
    ['capture-4', 'opt_out_noai', 'refuse', 'https://e.org/noai'],
    ['capture-5', 'opt_out_tdm-reservation', 'refuse', 'https://e.org/tdm'],
    ['capture-6', 'not_html', 'drop', 'application/pdf'],
    ['capture-7', 'no_text', 'drop', 'https://e.org/empty'],
    ['capture-10', refused[5]!.rule, 'drop', 'https://e.org/broken'],
    ['capture-11', 'undecodable', 'drop', 'https://e.org/zip'],
    ['capture-12', 'robots_txt', 'drop', 'https://e.org/robots.txt'],
  ]);
  expect(['damaged', 'not_a_record']).toContain(refused[5]!.rule);
  expect(report.counts).toEqual({ documents: 5, dropped: 8 });
});

test('captures are split by the input: 1,201 of them make three parts, and a limit takes the first readable ones', async () => {
  const answers = Array.from({ length: 1201 }, (_, i) => ({
    url: `https://e.org/${i}`,
    body: page(`${PROSE} Number ${i}.`),
    type: i % 3 === 1 ? 'image/png' : 'text/html',
  }));
  const all = await start(answers);
  expect(all.output.files.filter((f) => f.folder === 'documents').map((f) => f.path.split('/').at(-1))).toEqual([
    'part-00000.parquet',
    'part-00001.parquet',
    'part-00002.parquet',
  ]);
  expect(all.rows).toHaveLength(801);
  const some = await start(answers, { limit: 5 });
  expect(some.rows.map((r) => r.url)).toEqual([0, 2, 3, 5, 6].map((i) => `https://e.org/${i}`));
});

test('opt-outs are obeyed as the recipe says', async () => {
  const { rows } = await start(
    [{ url: 'https://e.org/noai', body: page(PROSE, '<meta name="robots" content="noai">') }],
    { crawl: { opt_outs: ['noindex'] } },
  );
  expect(rows[0]?.metadata['opt_outs']).toBe('noai');
});
