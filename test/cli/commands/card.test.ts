import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../../cli/command.ts';
import { main } from '../../../cli/main.ts';
import type { ModelCard } from '../../../trainer/card/card.ts';
import { sentences } from '../../trainer/toy-lake.ts';

let folder = '';
const recipe = `name: toy
files: [{ path: docs.jsonl, name: tales }, { path: more.jsonl, name: more }]
filters: { language: { keep: [en, zh] } }
dedup: {}
mix: { where: "source <> 'none'", validation: { share: 0.1 } }
tokenizer: { vocabulary: 300 }
pretrain: { model: { depth: 1, width: 32, heads: 4 }, sequence: 48, batch: 4, steps: 6, threads: 1 }
finetune: { data: chats.jsonl, steps: 4, batch: 2, threads: 1 }
reward: { data: pairs.jsonl, batch: 4, steps: 4, threads: 1 }
dpo: { data: pairs.jsonl, batch: 4, steps: 4, threads: 1 }
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-card-'));
  const lines = (name: string, rows: unknown[]) =>
    writeFileSync(join(folder, name), rows.map((r) => `${JSON.stringify(r)}\n`).join(''));
  const texts = sentences(240, 4).filter((_, i) => i % 3 !== 2);
  lines('docs.jsonl', [
    ...texts.map((t, i) => ({
      id: `d${i}`,
      text: `${t} ${texts[(i * 7) % texts.length]} ${t} And number ${i * 31} is gone.`,
    })),
    { id: 'copy', text: `${texts[0]} ${texts[0]} ${texts[0]} And number 0 is gone.` },
  ]);
  lines('more.jsonl', [
    { id: 'm', text: 'A whale | <b>that</b> nobody has seen lives in the northern sea.', license: 'https://cc | <b>' },
  ]);
  lines('chats.jsonl', [
    ...Array.from({ length: 12 }, (_, i) => ({
      source: i % 2 ? 'a' : 'b',
      licence: 'MIT',
      prompt: `Who saw ${i}?`,
      completion: `The whale ${i}.`,
    })),
    { prompt: 'half' },
  ]);
  lines(
    'pairs.jsonl',
    Array.from({ length: 20 }, (_, i) => ({ prompt: `Who ${i}?`, chosen: 'The sea.', rejected: 'No.' })),
  );
  writeFileSync(join(folder, 'toy.yaml'), recipe);
  for (const lake of ['one', 'two']) {
    const { code, err } = await garner(['run', join(folder, 'toy.yaml'), '--workers', '0'], '', lake);
    expect([code, code === 0 ? '' : err]).toEqual([0, '']);
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function garner(args: string[], input = '', lake = 'one') {
  const written = { out: '', err: '' };
  const stream = (to: 'out' | 'err') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          written[to] += chunk.toString();
          done();
        },
      }),
      { isTTY: false, columns: 100 },
    );
  const terminal = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout: stream('out'),
    stderr: stream('err'),
  } as unknown as Terminal;
  const code = await main([...args, '--lake', join(folder, lake)], terminal);
  return { code, ...written };
}

const cardsOf = (lake: string): string[] =>
  readdirSync(join(folder, lake, 'runs'), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('card.json'))
    .toSorted()
    .map((f) => readFileSync(join(folder, lake, 'runs', f), 'utf8'));

test('a card carries snapshot, SQL, filters, duplicates, sources, licences, steps and parents', async () => {
  const { code, out } = await garner(['card', 'toy-dpo', '--json']);
  expect(code).toBe(0);
  const card = JSON.parse(out) as ModelCard & { measured: Record<string, { seconds: number; steps: number }> };
  expect([card.run, card.stage, card.training.step, card.training.steps]).toEqual(['toy-dpo', 'dpo', 4, 4]);
  expect(card.files).toEqual([
    {
      file: 'pairs.jsonl',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      sources: [{ source: null, licence: null, records: 20 }],
    },
  ]);
  expect(Object.keys(card.training.metrics)).toContain('held_out_margin');
  const finetune = card.parents['finetune']!;
  expect(finetune.files[0]!.sources).toEqual([
    { source: 'a', licence: 'MIT', records: 6 },
    { source: 'b', licence: 'MIT', records: 6 },
    { source: null, licence: null, records: 1 },
  ]);
  expect(finetune.counts['refused']).toBe(1);
  const { corpus, training } = finetune.parents['pretrain']!;
  expect(training.step).toBe(6);
  expect(corpus!.snapshot!.sql).toBe("source <> 'none'");
  expect(corpus!.duplicates!.exact + corpus!.duplicates!.near).toBeGreaterThanOrEqual(1);
  expect(corpus!.filters!.rules.map((r) => r.name)).toEqual(['language']);
  expect(corpus!.filters!.kept + corpus!.filters!.dropped).toBe(corpus!.documents);
  expect(corpus!.origins).toEqual(['tales', 'more']);
  const all = [...corpus!.train, ...corpus!.validation];
  expect(all.find((s) => s.source === 'more')!.licence).toBe('https://cc | <b>');
  expect(all.reduce((n, s) => n + s.documents, 0)).toBe(corpus!.snapshot!.files.reduce((n, f) => n + f.documents, 0));
  expect(
    Object.values(card.measured)
      .map((m) => m.steps)
      .toSorted((a, b) => a - b),
  ).toEqual([4, 4, 6]);
});

test('every checkpoint has one, the same bytes in another lake, without a path, a date or a second', () => {
  const [one, two] = [cardsOf('one'), cardsOf('two')];
  expect(one).toHaveLength(4);
  expect(two).toEqual(one);
  const all = one.join('');
  expect(all).not.toContain(folder);
  expect(all).not.toMatch(/\d{4}-\d\d-\d\d|"seconds"|tokens_per_second/);
});

test('as Markdown: tables that hostile names cannot leave', async () => {
  const { code, out } = await garner(['card', 'toy-dpo']);
  expect(code).toBe(0);
  for (const part of [
    '# toy-dpo',
    '## Text',
    'duplicates removed',
    'language',
    '(estimate)',
    'core-hours',
    '| dpo | toy-dpo | 4 |',
  ])
    expect(out).toContain(part);
  expect(out).toContain('https://cc \\| &lt;b>');
  expect(out).not.toContain('<b>');
  const columns = (line: string) => line.replaceAll('\\|', '').split('|').length;
  const rows = out.split('\n');
  rows.forEach((line, i) => {
    if (line.startsWith('|') && rows[i - 1]?.startsWith('|'))
      expect([line, columns(line)]).toEqual([line, columns(rows[i - 1]!)]);
  });
});

test('a model without a card, and a damaged one, are told in a sentence', async () => {
  const checkpoint = readdirSync(join(folder, 'two', 'runs'), { recursive: true, encoding: 'utf8' }).find((f) =>
    f.endsWith('card.json'),
  )!;
  const path = join(folder, 'two', 'runs', checkpoint);
  const model = join(path, '..');
  writeFileSync(path, '{"format": 1');
  expect(await garner(['card', model])).toMatchObject({
    code: 2,
    err: expect.stringContaining('the card is damaged') as string,
  });
  rmSync(path);
  const { code, err } = await garner(['card', model]);
  expect([code, err.split('\n')[0]]).toEqual([2, expect.stringContaining('has no card')]);
});

test('garner score gives rewards in input order, and reasons for bad lines', async () => {
  const good = (id: unknown, answer: string) => ({ id, prompt: [{ role: 'user', content: 'Who 3?' }], answer });
  const lines = [
    JSON.stringify(good('a', 'The sea.')),
    'no json',
    JSON.stringify({ id: 7, prompt: 'Who 3?', answer: 'No.' }),
    JSON.stringify(good('empty', '  ')),
    JSON.stringify({ id: 'none', answer: 'x' }),
    JSON.stringify({ id: 'role', prompt: [{ role: 'wizard', content: 'x' }], answer: 'y' }),
    JSON.stringify({
      id: 'tool',
      prompt: [
        { role: 'user', content: 'x' },
        { role: 'tool', content: 'z' },
      ],
      answer: 'y',
    }),
    JSON.stringify(good('long', 'sea '.repeat(400))),
    JSON.stringify(good('lone', '\ud800 sea')),
    JSON.stringify({ ...good('forged', 'The sea.'), error: 'x', reward: 99 }),
    JSON.stringify(good('a', 'The sea.')),
  ];
  const { code, out } = await garner(['score', 'toy-reward'], `${lines.join('\n')}\n`);
  expect(code).toBe(0);
  const answers = out
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l) as Record<string, unknown>);
  const reward = expect.any(Number) as number;
  expect(answers).toEqual([
    { id: 'a', reward },
    { id: '2', error: 'not_json' },
    { id: 7, reward },
    { id: 'empty', error: 'empty_answer' },
    { id: 'none', error: 'no_prompt' },
    { id: 'role', error: 'unknown_role' },
    { id: 'tool', error: 'template_has_no_tools' },
    { id: 'long', reward, cut: true },
    { id: 'lone', reward },
    { id: 'forged', reward },
    { id: 'a', reward },
  ]);
  expect(answers[10]!['reward']).toBe(answers[0]!['reward']);
  // A score depends on its own line alone.
  const alone = await garner(['score', 'toy-reward'], `${lines[2]}\n`);
  expect(JSON.parse(alone.out)).toEqual(answers[2]);
  expect(answers[2]!['reward']).not.toBe(answers[0]!['reward']);
  const wrong = await garner(['score', 'toy-dpo'], '');
  expect([wrong.code, wrong.err.split('\n')[0]]).toEqual([2, expect.stringContaining('no reward model')]);
});
