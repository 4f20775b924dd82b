import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { WARCParser } from 'warcio';
import { openWarcWriter, recordId } from '../../../crawlers/web/warc-writer.ts';
import { cleanUp, page, recipeFor, run, start } from './site.ts';

cleanUp();

const sha256 = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

test('another reader (npm warcio) finds every record, and its digests hold', async () => {
  const chunk = Buffer.from(page('chunked'));
  const sent: string[] = [];
  const site = await start({
    '/': (request, response) => {
      const { rawHeaders } = request;
      const lines = Array.from(
        { length: rawHeaders.length / 2 },
        (_, i) => `${rawHeaders[2 * i]}: ${rawHeaders[2 * i + 1]}`,
      );
      sent.push(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      response.writeHead(200, 'Quite OK', [
        ['cOnTent-TYPE', 'text/html'],
        ['X-Twice', 'a'],
        ['X-Twice', 'b'],
      ]);
      response.write(chunk.subarray(0, 100));
      response.end(chunk.subarray(100));
    },
  });
  const { rows, folder } = await run(recipeFor(site, { sitemaps: false }));
  const path = join(folder, rows[0]!.warc_file!);
  const types: string[] = [];
  const ids = new Map<string, string>();
  const parser = new WARCParser(createReadStream(path), { keepHeadersCase: true, parseHttp: false });
  for await (const record of parser) {
    const payload = await record.readFully(false);
    types.push(record.warcType!);
    const header = (name: string) => record.warcHeaders.headers.get(name);
    expect(header('WARC-Block-Digest')).toBe(sha256(payload));
    expect(record.warcHeaders.protocol).toBe('WARC/1.1');
    ids.set(header('WARC-Record-ID')!, record.warcType!);
    if (record.warcType !== 'warcinfo') expect(ids.get(header('WARC-Warcinfo-ID')!)).toBe('warcinfo');
    if (record.warcType === 'request') expect(ids.get(header('WARC-Concurrent-To')!)).toBe('response');
    const text = Buffer.from(payload).toString('latin1');
    if (record.warcTargetURI !== `${site.url}/`) continue;
    if (record.warcType === 'request') expect(text).toBe(sent[0]);
    if (record.warcType !== 'response') continue;
    // The very bytes of the wire: case, order and repetition of the header lines, and the chunks.
    expect(text).toMatch(/^HTTP\/1\.1 200 Quite OK\r\ncOnTent-TYPE: text\/html\r\nX-Twice: a\r\nX-Twice: b\r\n/);
    expect(text).toContain('\r\n\r\n64\r\n');
    expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true);
    expect(header('WARC-Payload-Digest')).toBe(sha256(chunk));
    expect(header('WARC-IP-Address')).toBe('127.0.0.1');
  }
  expect(types).toEqual(['warcinfo', 'response', 'request', 'response', 'request']);
  const row = rows.find((r) => r.url === `${site.url}/`)!;
  expect(row).toMatchObject({ digest: sha256(chunk), bytes: chunk.length, status: 200 });
  const member = gunzipSync(readFileSync(path).subarray(row.warc_offset!, row.warc_offset! + row.warc_length!));
  expect(member.toString('latin1')).toContain(`WARC-Record-ID: ${row.id}`);
});

test('files are changed once one is large enough; each begins with its warcinfo', () => {
  const folder = mkdtempSync(join(tmpdir(), 'garner-warc-'));
  const options = { folder, prefix: 'x', rotateAt: 3000, info: [] as [string, string][], resume: null };
  const writer = openWarcWriter(options);
  const block = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7919) % 251));
  const places = Array.from({ length: 9 }, (_, i) => {
    const id = recordId('r', i);
    return writer.write([
      { type: 'resource', id, date: i, url: `http://e.org/${i}`, contentType: 'text/plain', block },
    ])[0]!;
  });
  writer.close();
  expect(writer.files()).toEqual(
    ['x-00000.warc.gz', 'x-00001.warc.gz', 'x-00002.warc.gz'].slice(0, writer.files().length),
  );
  expect(writer.files().length).toBeGreaterThan(1);
  for (const file of writer.files()) {
    const first = places.find((p) => p.file === file)!;
    expect(first.offset).toBeGreaterThan(0);
    expect(gunzipSync(readFileSync(join(folder, file)).subarray(0, first.offset)).toString()).toContain(
      'WARC-Type: warcinfo',
    );
  }
  // Going on behind the fourth record: what stood after it is gone.
  const fourth = places[3]!;
  const again = openWarcWriter({ ...options, resume: { file: fourth.file, end: fourth.offset + fourth.length } });
  const next = again.write([
    { type: 'resource', id: recordId('n'), date: 0, url: 'http://e.org/n', contentType: 'text/plain', block },
  ])[0]!;
  again.close();
  expect([next.file, next.offset]).toEqual([fourth.file, fourth.offset + fourth.length]);
  rmSync(folder, { recursive: true });
});
