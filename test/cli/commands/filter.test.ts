import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { main } from '../../../cli/main.ts';

/** Runs a command line with text on standard input. */
async function garner(argv: readonly string[], input = '') {
  const out = { stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr') => {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => (out[name] += chunk.toString('utf8')));
    return stream as unknown as NodeJS.WriteStream;
  };
  const terminal = { stdin: Readable.from([Buffer.from(input)]), stdout: collect('stdout'), stderr: collect('stderr') };
  const code = await main(argv, terminal);
  return { code, ...out };
}

interface Answer {
  id: string;
  keep: boolean;
  error?: string;
  language?: string;
  score?: number;
  verdicts: { filter: string; rule: string; value: number | null; threshold: number | string; keep: boolean }[];
}
const answers = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer);

const reason = ({ verdicts }: Answer, filter: string) => verdicts.find((v) => v.filter === filter && !v.keep)?.rule;

const CHINESE =
  '这条河的水慢慢地流向大海，住在河边的人们很久以前就知道这一点。他们在春天种下稻子，在秋天收获，日子过得很平静。';

test('every line is answered in its place, bad ones too', async () => {
  const input = [
    JSON.stringify({ id: 'a', text: 'Hello world.' }),
    'no json',
    JSON.stringify({ id: 7 }),
    '',
    JSON.stringify({ text: CHINESE.repeat(3) }),
    JSON.stringify({ id: 'stated', text: CHINESE.repeat(3), language: 'en' }),
  ].join('\n');
  const { code, stdout } = await garner(['filter', '--filters', 'gopher_quality,c4'], input);
  const [a, bad, empty, chinese, stated] = answers(stdout);
  expect(code).toBe(0);
  expect(Object.keys(a!)).toEqual(['id', 'keep', 'verdicts']);
  expect(a).toMatchObject({ id: 'a', keep: false });
  expect([reason(a!, 'gopher_quality'), reason(a!, 'c4')]).toEqual(['gopher_short_doc', 'too_few_sentences']);
  expect(a!.verdicts).toContainEqual({
    filter: 'gopher_quality',
    rule: 'gopher_short_doc',
    value: 2,
    threshold: 50,
    keep: false,
  });
  expect(a!.verdicts).toHaveLength(13);
  expect(bad).toEqual({ id: '2', error: 'not_json' });
  expect(empty).toEqual({ id: 7, error: 'no_text' });
  expect(chinese).toMatchObject({ id: '5', keep: true });
  expect(stated).toMatchObject({ id: 'stated', keep: false });
  expect(reason(stated!, 'gopher_quality')).toBe('gopher_short_doc');
});

test('the plain word rule is asked for by name', async () => {
  const input = JSON.stringify({ id: 'a', text: "don't do it" });
  const words = async (rule: string) =>
    answers((await garner(['filter', '--words', rule], input)).stdout)[0]!.verdicts[0]!.value;
  expect([await words('spacy'), await words('simple')]).toEqual([4, 3]);
});

test.each([
  { argv: ['filter', '--filters', 'gopher_qualty'], says: 'did you mean "gopher_quality"?' },
  { argv: ['filter', '--words', 'plain'], says: '(all rules: spacy, simple)' },
  { argv: ['filter', 'nowhere.jsonl'], says: 'nowhere.jsonl: no such file' },
  { argv: ['filter', '--filters', ','], says: 'no filter is named' },
])('$argv: one sentence, exit 2', async ({ argv, says }) => {
  const { code, stderr, stdout } = await garner(argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(says);
});

test('languages', async () => {
  const input = `${JSON.stringify({ id: 'zh', text: CHINESE })}\n${JSON.stringify({ id: 'fr', text: 'Bonjour tout le monde' })}\n`;
  const { code, stdout } = await garner(['language'], input);
  expect(code).toBe(0);
  expect(answers(stdout)).toEqual([
    { id: 'zh', language: 'zh', score: expect.closeTo(0.99, 1) },
    { id: 'fr', language: 'fr', score: expect.closeTo(0.99, 1) },
  ]);
});
