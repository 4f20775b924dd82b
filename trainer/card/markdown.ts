import { plain } from '../../core/progress.ts';
import type { Corpus, DataFileShare, FilterRule, ModelCard, SourceShare } from './card.ts';
import type { Cost } from './measured.ts';

/** A card as Markdown; `costs` by the runs' keys, where this machine has timed them. */
export function cardMarkdown(card: ModelCard, costs: ReadonlyMap<string, Cost>): string {
  const ladder = ladderOf(card);
  const { model, training } = card;
  const parts = [
    `# ${word(card.run)}`,
    `A language model of ${whole(model.parameters)} parameters (${model.layers} layers, ${model.width} channels, ${whole(
      model.vocabulary,
    )} tokens in its vocabulary, a context of ${model.context}), made by the stage ${card.stage}; step ${training.step} of ${training.steps}.`,
    '## Stages',
    table(
      ['stage', 'run', 'steps', 'trained tokens', 'loss [nats]', 'held-out loss', 'peak rate'],
      ladder.map(({ stage, run, training: t }) => [
        stage,
        word(run),
        t.step === t.steps ? whole(t.step) : `${whole(t.step)} of ${whole(t.steps)}`,
        whole(t.tokens),
        `${short(t.loss.first)} → ${short(t.loss.last)}`,
        t.validation_loss === null ? '' : short(t.validation_loss),
        String(t.learning_rate),
      ]),
    ),
    ...ladder.flatMap((c) => [...corpusPart(c.corpus), ...filesPart(c)]),
    ...metricsPart(card),
    ...costPart(ladder, costs),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A card and those it came from, the first model first, each run once. */
export function ladderOf(card: ModelCard): ModelCard[] {
  const seen = new Map<string, ModelCard>();
  const visit = (one: ModelCard, depth: number) => {
    if (depth > 20) return;
    for (const name of Object.keys(one.parents).toSorted()) visit(one.parents[name]!, depth + 1);
    const key = `${one.key} ${one.training.step}`;
    if (!seen.has(key)) seen.set(key, one);
  };
  visit(card, 0);
  return [...seen.values()];
}

function corpusPart(corpus: Corpus | null): string[] {
  if (!corpus) return [];
  const { snapshot, filters, duplicates, masked } = corpus;
  const facts: [string, string][] = [
    ...(snapshot
      ? ([
          ['snapshot', `${word(snapshot.name)} (${snapshot.key})`],
          ['selection', snapshot.sql === null ? 'all kept documents' : `\`${word(snapshot.sql)}\``],
        ] as [string, string][])
      : []),
    ['origins', corpus.origins.map(word).join(', ') || 'not stated'],
    ['documents read', whole(corpus.documents)],
    ...(filters
      ? ([
          ['dropped by filters', whole(filters.dropped)],
          ['kept by filters', whole(filters.kept)],
        ] as [string, string][])
      : ([['filters', 'none']] as [string, string][])),
    ...(masked
      ? ([['personal data masked', `${whole(masked.edits)} places in ${whole(masked.documents)} documents`]] as [
          string,
          string,
        ][])
      : []),
    [
      'duplicates removed',
      duplicates
        ? `${whole(duplicates.exact)} exact, ${whole(duplicates.near)} near${duplicates.threshold === null ? '' : ` (from a similarity of ${duplicates.threshold})`}`
        : 'not looked for',
    ],
    [
      'tokenizer',
      `${corpus.tokenizer.vocabulary ?? '?'} tokens, ${(corpus.tokenizer.sha256 ?? 'unknown').slice(0, 16)}`,
    ],
  ];
  return [
    '## Text',
    table(['what', ''], facts),
    '### Tokens by source and licence',
    table(
      ['split', 'source', 'licence', 'documents', 'tokens', 'bytes'],
      (['train', 'validation'] as const).flatMap((split) =>
        corpus[split].map((s: SourceShare) => [
          split,
          word(s.source),
          s.licence === null ? 'not stated' : word(s.licence),
          whole(s.documents),
          whole(s.tokens),
          whole(s.bytes),
        ]),
      ),
    ),
    ...(filters && filters.rules.length > 0
      ? [
          '### Filters',
          table(
            ['filter', 'rule', 'drops', 'for'],
            filters.rules.flatMap(({ name, rules }) => rules.flatMap((rule) => ruleRow(name, rule))),
          ),
        ]
      : []),
  ];
}

/** Rules that are switched off are left to the JSON. */
function ruleRow(filter: string, rule: FilterRule): string[][] {
  if (rule['never'] === true) return [];
  const said = Object.entries(rule)
    .filter(([name]) => !['rule', 'signal', 'key', 'when', 'values'].includes(name))
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const when = rule['when'];
  return [
    [
      word(filter),
      word(String(rule['rule'])),
      word(`${String(rule['signal'])} ${said.join(', ')}`),
      when === undefined ? '' : word(Object.values(when as object).join(', ')),
    ],
  ];
}

function filesPart({ stage, files, counts }: ModelCard): string[] {
  if (files.length === 0) return [];
  const rows = files.flatMap(({ file, sha256, sources }: DataFileShare) =>
    (sources ?? [{ source: null, licence: null, records: NaN }]).map((s) => [
      word(file),
      s.source === null ? '' : word(s.source),
      s.licence === null ? 'not stated' : word(s.licence),
      Number.isNaN(s.records) ? '' : whole(s.records),
      sha256.slice(0, 16),
    ]),
  );
  const found = Object.entries(counts).map(([name, n]) => `${name.replaceAll('_', ' ')} ${whole(n)}`);
  return [
    `## Data of ${stage}`,
    table(['file', 'source', 'licence', 'records', 'SHA-256'], rows),
    ...(found.length > 0 ? [`Found: ${found.join(', ')}.`] : []),
  ];
}

function metricsPart({ training: { metrics } }: ModelCard): string[] {
  const rows = Object.entries(metrics);
  if (rows.length === 0) return [];
  return [
    '## Reported last',
    table(
      ['what', 'value'],
      rows.map(([name, v]) => [word(name), short(v)]),
    ),
  ];
}

function costPart(ladder: readonly ModelCard[], costs: ReadonlyMap<string, Cost>): string[] {
  const timed = ladder.flatMap(({ run, key }) => (costs.has(key) ? [{ run, cost: costs.get(key)! }] : []));
  if (timed.length === 0) return ['## Cost', 'Not measured on this machine.'];
  const sum = (of: (cost: Cost) => number) => timed.reduce((total, { cost }) => total + of(cost), 0);
  const row = (name: string, seconds: number, speed: string, hours: number, energy: number, money: number) => [
    name,
    seconds.toFixed(1),
    speed,
    short(hours),
    short(energy),
    short(money),
  ];
  const { wattsPerCore, dollarsPerCoreHour } = timed[0]!.cost.estimated;
  return [
    '## Cost',
    table(
      ['run', 'seconds', 'tokens a second', 'core-hours', 'kWh (estimate)', '$ (estimate)'],
      [
        ...timed.map(({ run, cost: c }) =>
          row(
            word(run),
            c.seconds,
            whole(Math.round(c.tokensPerSecond)),
            c.coreHours,
            c.estimated.kilowattHours,
            c.estimated.dollars,
          ),
        ),
        row(
          'together',
          sum((c) => c.seconds),
          '',
          sum((c) => c.coreHours),
          sum((c) => c.estimated.kilowattHours),
          sum((c) => c.estimated.dollars),
        ),
      ],
    ),
    `Seconds are measured over the weight updates; energy and money are estimated from them, at ${wattsPerCore} W and $${dollarsPerCoreHour} a core and hour.`,
  ];
}

/** A cell that cannot leave its table, open a tag or turn the writing direction. */
const word = (text: string): string =>
  plain(text.replaceAll(/\s+/g, ' '))
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('|', '\\|')
    .slice(0, 400);

const whole = (n: number): string => n.toLocaleString('en');
const short = (n: number | null): string =>
  n === null
    ? ''
    : Number.isInteger(n)
      ? String(n)
      : Math.abs(n) >= 1e-4
        ? String(Number(n.toPrecision(4)))
        : n.toExponential(2);

/** Columns of numbers stand to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const numeric = head.map(
    (_, i) => rows.some((r) => r[i] !== '') && rows.every((r) => /^(?:-?[\d,.]+(?:e-?\d+)?)?$/.test(r[i]!)),
  );
  return [line(head), line(numeric.map((n) => (n ? '--:' : ':--'))), ...rows.map(line)].join('\n');
}
