import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../../cli/main.ts';
import { sharedData } from '../shared.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-cli-extract-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function garner(args: string[], input = '') {
  let [out, err] = ['', ''];
  const sink = (add: (text: string) => void) =>
    new Writable({ write: (chunk, _e, done) => (add(String(chunk)), done()) });
  const terminal = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout: sink((t) => (out += t)),
    stderr: sink((t) => (err += t)) as unknown as NodeJS.WriteStream,
  };
  const code = await main(args, terminal);
  return {
    code,
    err,
    lines: out
      .split('\n')
      .filter((l) => l !== '')
      .map((l) => JSON.parse(l) as Record<string, unknown>),
  };
}

const PROSE = 'A paragraph about rivers, and about the people who live beside them.';
const page = `<html lang=en><title>Rivers</title><nav><a href=/>Home</a></nav><main><p>${PROSE}</p></main>`;

test('a folder: one line a file, id is the path below it', async () => {
  mkdirSync(join(folder, 'site/deep'), { recursive: true });
  writeFileSync(join(folder, 'site/deep/b.htm'), page);
  writeFileSync(join(folder, 'site/a.html.gz'), gzipSync(page));
  writeFileSync(join(folder, 'site/skip.txt'), 'x');
  const { code, lines } = await garner(['extract', '--html', join(folder, 'site')]);
  expect([code, ...lines]).toEqual([
    0,
    { id: 'a.html.gz', text: PROSE, title: 'Rivers', language: 'en', encoding: 'utf-8' },
    { id: 'deep/b.htm', text: PROSE, title: 'Rivers', language: 'en', encoding: 'utf-8' },
  ]);
});

test('pages by name, and a damaged one among them is answered in its place', async () => {
  mkdirSync(join(folder, 'mixed'), { recursive: true });
  const [good, bad] = [join(folder, 'mixed/b.html'), join(folder, 'mixed/a.html.gz')];
  writeFileSync(good, page);
  writeFileSync(bad, gzipSync(page).subarray(0, 40));
  const seen = (lines: Record<string, unknown>[]) => lines.map((l) => [l['id'], l['text'] ?? l['error']]);
  const named = await garner(['extract', bad, good]);
  expect([named.code, ...seen(named.lines)]).toEqual([0, [bad, 'unreadable'], [good, PROSE]]);
  const inFolder = await garner(['extract', '--html', join(folder, 'mixed')]);
  expect([inFolder.code, ...seen(inFolder.lines)]).toEqual([0, ['a.html.gz', 'unreadable'], ['b.html', PROSE]]);
  expect(await garner(['extract', join(folder, 'absent.html')])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/absent.html: no such file/) as string,
  });
});

const wet = sharedData('warc/made/text.warc.wet.gz');
test.skipIf(!wet)('a WET file: its texts as they are', async () => {
  const { code, lines } = await garner(['extract', wet!]);
  expect(code).toBe(0);
  expect(lines.length).toBeGreaterThan(0);
  for (const l of lines)
    expect(l).toMatchObject({
      url: expect.stringMatching(/^http/) as string,
      text: expect.stringMatching(/./) as string,
    });
});

test('JSON lines: html or path, in input order, a bad line answered in its place', async () => {
  const path = join(folder, 'one.html');
  writeFileSync(path, page);
  const input = [
    JSON.stringify({ id: 'x', html: page }),
    'no json',
    JSON.stringify({ id: 7, path }),
    JSON.stringify({ id: 'y' }),
    JSON.stringify({ id: 'z', path: '/nowhere/at/all.html' }),
  ].join('\n');
  const { lines } = await garner(['extract'], input);
  expect(lines.map((l) => [l['id'], l['text'] ?? l['error']])).toEqual([
    ['x', PROSE],
    ['2', 'not_json'],
    [7, PROSE],
    ['y', 'no_html'],
    ['z', 'unreadable'],
  ]);
});

test('a WARC file: pages only, with their URL', async () => {
  const record = (url: string, status: string, type: string, body: string, n: number) => {
    const http = `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n\r\n${body}`;
    return gzipSync(
      `WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: ${url}\r\nWARC-Record-ID: <urn:uuid:${n}>\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: ${Buffer.byteLength(http)}\r\n\r\n${http}\r\n\r\n`,
    );
  };
  const path = join(folder, 'x.warc.gz');
  writeFileSync(
    path,
    Buffer.concat([
      record('https://e.org/', '200 OK', 'text/html', page, 1),
      record('https://e.org/x', '404 Not Found', 'text/html', page, 2),
      record('https://e.org/i', '200 OK', 'image/png', 'x', 3),
      record('https://e.org/t', '200 OK', 'text/plain; charset=latin1', 'just text', 4),
    ]),
  );
  const { lines } = await garner(['extract', path]);
  expect(lines.map((l) => [l['id'], l['url'], l['text']])).toEqual([
    ['1', 'https://e.org/', PROSE],
    ['4', 'https://e.org/t', 'just text'],
  ]);
});

test('a missing folder or file is one sentence and exit code 2', async () => {
  expect(await garner(['extract', '--html', join(folder, 'absent')])).toMatchObject({
    code: 2,
    lines: [],
    err: expect.stringMatching(/absent: no such folder/) as string,
  });
  expect(await garner(['extract', join(folder, 'absent.jsonl')])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/no such file/) as string,
  });
  expect(await garner(['extract', join(folder, 'absent.warc.gz')])).toMatchObject({ code: 2 });
});
