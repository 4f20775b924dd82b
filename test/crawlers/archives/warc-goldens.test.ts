import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  contentOf,
  field,
  readCapture,
  readRecords,
  type WarcDamage,
  type WarcRecord,
} from '../../../crawlers/archives/warc.ts';
import { sharedData } from '../../shared.ts';

interface GoldenRecord {
  offset: number;
  type?: string;
  uri?: string;
  status?: string;
  length: number;
  sha1: string;
}

interface Golden {
  records: number;
  stops?: { after_record: number };
  truth?: { valid: boolean; records?: number; whole?: number; lost?: string[]; body_sha1?: string };
  list?: GoldenRecord[];
}

const folder = sharedData('warc');
const goldens = folder
  ? (JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, Golden>)
  : {};
const sha1 = (data: Buffer) => createHash('sha1').update(data).digest('hex');

async function read(name: string) {
  const records: WarcRecord[] = [];
  const damage: WarcDamage[] = [];
  for await (const r of readRecords(join(folder!, name))) {
    if (r.kind === 'record') records.push(r);
    else damage.push(r);
  }
  return { records, damage };
}

/** Whole records where that differs from what the reference reader gave, and why. */
const WHOLE: Record<string, [count: number, why: string]> = {
  'made/length-huge.warc': [5, 'the reference reader ends in an internal error; the five others are whole'],
  'made/length-missing.warc': [5, 'the record without length is damage, the other five are whole'],
  'made/length-negative.warc': [5, 'the same'],
  'made/length-too-long.warc': [5, 'the record that says too much is damage, the one it ran into is read'],
  'made/truncated-in-body.warc': [5, 'a cut body is damage'],
  'nlevitt/test.warc.gz': [10, 'one gzip member round all'],
  'resiliparse/clipped.warc.gz': [0, 'the only member is cut'],
  'richardlehane/hello-world2.arc': [2, 'the reference reader stops'],
  'richardlehane/invalid-warcrecord-1.warc': [4, 'the reference takes three records for the body of the first'],
  'richardlehane/invalid-warcrecord-3.warc': [3, 'the reference stops at the damage'],
  'warcio/bad.arc': [0, 'lengths are no numbers, fields are missing'],
  'warcio/example-bad-non-chunked.warc.gz': [6, 'one gzip member round all'],
  'warcio/example-bad.warc.gz.bad': [6, 'one gzip member round all'],
  'warcio/example-space-in-url.arc': [1, 'the last record is shorter than it says'],
  'warcio/example-trunc.warc': [3, 'the record that is cut is damage'],
  'warcio.js/example-bad-length.warc': [5, 'the record with the wrong length is damage'],
  'webarchive-commons/IAH-20080430204825-00000-blackbook-truncated.arc': [
    9,
    'the reference stops at the second record',
  ],
};

/** Files of a few bytes for validators: no length stands in them, so that nothing can be a record. */
const lengthless = (name: string) =>
  /^richardlehane\/invalid-warc(?:header|file-(?:fields|lonely)|reader-diagnosis)/.test(name);

describe.skipIf(!folder)('the archives of other projects', () => {
  const names = Object.keys(goldens).filter((n) => !lengthless(n));

  test.each(names)('%s: whole records', async (name) => {
    const { truth, records: counted } = goldens[name]!;
    const { records } = await read(name);
    expect(records.length).toBe(WHOLE[name]?.[0] ?? truth?.whole ?? truth?.records ?? counted);
  });

  test.each(names)('%s: offsets, types, addresses, bodies', async (name) => {
    const { records, damage } = await read(name);
    const list = records.length > 0 ? (goldens[name]!.list ?? []) : [];
    const wrong: string[] = [];
    for (const g of list) {
      const r = records.find((x) => x.offset === g.offset);
      // Damaged, or in a member with others: counted above.
      if (!r && (damage.some((d) => d.offset === g.offset) || records.some((x) => x.offset === null))) continue;
      if (!r) {
        wrong.push(`${g.offset}: no record`);
        continue;
      }
      if (g.type !== undefined && r.type !== g.type.trim().toLowerCase()) wrong.push(`${g.offset}: type ${r.type}`);
      const uri = field(r, 'WARC-Target-URI');
      if (g.uri !== undefined && uri?.replaceAll(' ', '%20') !== g.uri.replace(/^%20/, ''))
        wrong.push(`${g.offset}: ${uri}`);
      if (r.type !== 'response' || /^dns:/i.test(uri ?? '')) continue;
      const content = contentOf(r);
      if (!content.ok) wrong.push(`${g.offset}: ${content.reason}`);
      else if (String(content.status) !== g.status) wrong.push(`${g.offset}: status ${content.status}`);
      else if (content.body.length !== g.length || sha1(content.body) !== g.sha1)
        wrong.push(`${g.offset}: ${content.body.length} bytes, not ${g.length}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each(names)('%s: a capture read by its place is the same', async (name) => {
    const { records } = await read(name);
    for (const r of records) {
      if (r.offset === null) continue;
      const there = await readCapture(join(folder!, name), r.offset, r.length!);
      const here = contentOf(r);
      expect({ ...there, body: there.ok && sha1(there.body) }).toEqual({ ...here, body: here.ok && sha1(here.body) });
    }
  });

  test.each(Object.keys(goldens).filter(lengthless))('%s: no record, no exception', async (name) => {
    const { records } = await read(name);
    for (const r of records) expect(r.block).not.toBeNull();
  });
});
