import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import iconv from 'iconv-lite';
import { expect, test } from 'vitest';
import { decode } from '../../../crawlers/extract/decode.ts';
import { sharedData } from '../../shared.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

test('the order of those who are asked: mark, header, document, UTF-8, detector, windows-1252', () => {
  const meta = (charset: string) => latin1(`<meta charset="${charset}"><p>\xe4\xf6\xfc \x93quoted\x94 \x80`);
  const cases: [string, Uint8Array, string | null, string, string, string][] = [
    ['mark beats header', Buffer.from('\uFEFFé'), 'gbk', 'utf-8', 'bom', 'é'],
    ['UTF-16 mark', Buffer.from('\uFEFFhé', 'utf16le'), null, 'utf-16le', 'bom', 'hé'],
    [
      'header beats meta',
      latin1('<meta charset=gbk>\xe9'),
      ' ISO-8859-1 ',
      'windows-1252',
      'header',
      '<meta charset=gbk>é',
    ],
    [
      'unknown label is as if absent',
      meta('windows-1252'),
      'klingon',
      'windows-1252',
      'document',
      '<meta charset="windows-1252"><p>äöü “quoted” €',
    ],
    [
      'meta in the page',
      iconv.encode('<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">日本語', 'shift_jis'),
      null,
      'shift_jis',
      'document',
      '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">日本語',
    ],
    [
      'XML declaration',
      iconv.encode('<?xml version="1.0" encoding="koi8-r"?>привет', 'koi8-r'),
      null,
      'koi8-r',
      'document',
      '<?xml version="1.0" encoding="koi8-r"?>привет',
    ],
    ['nothing stated, valid UTF-8', Buffer.from('naïve 中文'), null, 'utf-8', 'utf-8', 'naïve 中文'],
    ['ASCII', Buffer.from('plain'), null, 'utf-8', 'utf-8', 'plain'],
    [
      'meta utf-16 means utf-8',
      Buffer.from('<meta charset=utf-16>é中'),
      null,
      'utf-8',
      'document',
      '<meta charset=utf-16>é中',
    ],
    [
      'cut in the middle of a sequence',
      Buffer.from('中文文本').subarray(0, 11),
      null,
      'utf-8',
      'utf-8',
      '中文文\uFFFD',
    ],
  ];
  for (const [name, bytes, header, encoding, source, text] of cases) {
    expect({ name, ...decode(bytes, header) }).toMatchObject({ name, encoding, source, text });
  }
});

test('bytes that contradict what is declared: valid UTF-8 wins, and so does a far better guess', () => {
  expect(decode(Buffer.from('<p>“Ça va” – 中文'), 'iso-8859-1')).toMatchObject({
    encoding: 'utf-8',
    overruled: 'windows-1252',
    text: '<p>“Ça va” – 中文',
  });
  // Two bytes that may be UTF-8 by chance do not overrule a declaration.
  expect(decode(latin1('caf\xc3\xa9'), 'windows-1252')).toMatchObject({ encoding: 'windows-1252', text: 'cafÃ©' });
  const gbk = '这是一个没有正确声明编码的网页，正文用的是国标码。人们常常忘记改模板里的声明。'.repeat(4);
  expect(decode(iconv.encode(`<p>${gbk}`, 'gbk'), 'utf-8')).toMatchObject({
    source: 'detected',
    overruled: 'utf-8',
    text: `<p>${gbk}`,
    replacements: 0,
  });
  expect(decode(Buffer.concat([Buffer.from('中文字符'.repeat(500)), Buffer.from([0xff])]), 'utf-8')).toMatchObject({
    encoding: 'utf-8',
    replacements: 1,
  });
});

test('windows-1252 has its own table; iso-8859-16 and x-user-defined are known', () => {
  expect(decode(Uint8Array.from([0x80, 0x93, 0x94, 0x99, 0x9f, 0x81, 0xe4]), 'latin1').text).toBe('€“”™Ÿ\u0081ä');
  expect(decode(Uint8Array.from([0xa4, 0xaa, 0xba]), 'iso-8859-16').text).toBe('€Șș');
  expect(decode(Uint8Array.from([0xe9]), 'x-user-defined').text).toBe('é');
});

test('UTF-16 without a mark and any bytes at all give text', () => {
  expect(decode(Buffer.from('A page in UTF-16 that says nothing of it', 'utf16le'))).toMatchObject({
    encoding: 'utf-16le',
  });
  expect(decode(new Uint8Array(0))).toMatchObject({ text: '', encoding: 'utf-8' });
  const noise = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255);
  for (const label of [null, 'utf-8', 'gbk', 'shift_jis', 'iso-2022-jp', 'replacement'])
    expect(typeof decode(noise, label).text).toBe('string');
});

const archive = sharedData('encodings/chardet-tests.tar.gz');

interface Golden {
  file: string;
  encoding: string;
  ascii: boolean;
  strict: boolean;
  whatwg?: string;
  sha1_whatwg?: string;
}

/** Encodings that WHATWG does not know: no browser reads them, and neither does garner. */
const UNKNOWN = new Set(['johab', 'euc-tw', 'ibm855', 'iso-2022-kr', 'utf-32', 'utf-32be', 'utf-32le']);
const SAME: Record<string, string[]> = {
  'iso-8859-1': ['windows-1252'],
  gb2312: ['gbk', 'gb18030'],
  cp949: ['euc-kr'],
  cp932: ['shift_jis'],
  maccyrillic: ['x-mac-cyrillic'],
  macroman: ['macintosh'],
  'tis-620': ['windows-874'],
  'iso-8859-9': ['windows-1254'],
  'utf-8-sig': ['utf-8'],
  ascii: ['utf-8', 'windows-1252'],
  'utf-16': ['utf-16le', 'utf-16be'],
  'iso-8859-7': ['windows-1253'],
  'iso-8859-2': ['windows-1250'],
};

test.skipIf(archive === null)(
  'the 425 files of chardet: at least 97 % of those that a browser can read are told right, and decoded alike',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'garner-encodings-'));
    try {
      execFileSync('tar', ['xzf', archive!, '-C', folder]);
      const all = JSON.parse(readFileSync(sharedData('encodings/manifest.json')!, 'utf8')) as Golden[];
      let [files, right, hashed, equal] = [0, 0, 0, 0];
      for (const g of all) {
        if (UNKNOWN.has(g.encoding) || (g.ascii && g.encoding !== 'ascii')) continue;
        const found = decode(readFileSync(join(folder, g.file)));
        files++;
        if ([g.encoding, g.whatwg, ...(SAME[g.encoding] ?? [])].includes(found.encoding)) right++;
        if (!g.sha1_whatwg || !g.strict || found.encoding !== g.whatwg) continue;
        hashed++;
        if (createHash('sha1').update(found.text).digest('hex') === g.sha1_whatwg) equal++;
      }
      expect(files).toBeGreaterThan(380);
      expect(right / files).toBeGreaterThan(0.97);
      expect(equal).toBe(hashed);
      expect(hashed).toBeGreaterThan(330);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
