import { plain } from '../../core/progress.ts';
import { openCatalog } from '../../datasets/lake/catalog.ts';
import { why, type Story } from '../../datasets/lake/why.ts';
import { LAKE_FLAG, lakeOf } from '../lake.ts';
import { defineCommand } from '../command.ts';
import { formatTable, terminalWidth, type Cell } from '../table.ts';

export default defineCommand({
  name: 'why',
  summary: 'the whole story of one page: from capture to token shard, or to the rule that dropped it',
  arguments: [{ name: '<url-or-id>', about: 'a URL, or the id of a document or capture' }],
  options: [
    LAKE_FLAG,
    { flag: '--recipe <name>', about: 'whose outputs (default: the recipe that ran last)' },
    { flag: '--json', about: 'one JSON object' },
  ],
  examples: ['garner why http://127.0.0.1:8080/novels/12 --lake lakes/quickstart'],
  async run([what], options, terminal) {
    const catalog = await openCatalog(lakeOf(options), { recipe: options['recipe'] as string | undefined });
    try {
      const story = await why(catalog, what!);
      terminal.stdout.write(
        options['json'] ? `${JSON.stringify(story)}\n` : `${tell(story, terminalWidth(terminal))}\n`,
      );
      return 0;
    } finally {
      catalog.close();
    }
  },
});

const words = (...parts: (string | false | null | undefined)[]) => parts.filter(Boolean).join(', ');
const value = (v: unknown): string =>
  typeof v === 'number'
    ? String(Number(v.toPrecision(5)))
    : v === null || v === undefined
      ? ''
      : plain(String(v as string));

/** The story as lines for a person. */
export function tell(story: Story, width: number): string {
  const out: string[] = [];
  const heading = (text: string) => out.push(out.length > 0 ? `\n${text}` : text);
  for (const c of story.captures) {
    heading(`captured  ${value(c['url'])}`);
    out.push(
      `  ${words(`${value(c['outcome'])}${c['reason'] ? ` (${value(c['reason'])})` : ''}`, c['status'] !== null && `status ${value(c['status'])}`, c['media_type'] !== null && value(c['media_type']), c['bytes'] !== null && `${value(c['bytes'])} bytes`, value(c['fetched_at']))}`,
    );
    if (c['warc_file'])
      out.push(`  ${value(c['warc_file'])} at ${value(c['warc_offset'])}, ${value(c['warc_length'])} bytes`);
    if (c['referrer']) out.push(`  found on ${value(c['referrer'])}, depth ${value(c['depth'])}`);
  }
  const d = story.document;
  if (d) {
    heading(`document  ${value(d['id'])}`);
    out.push(
      `  ${words(d['title'] !== null && `“${value(d['title'])}”`, d['language'] !== null && `language ${value(d['language'])}`, `${value(d['words'])} words`, `${value(d['characters'])} characters`, `source ${value(d['source'])}`)}`,
    );
    out.push(
      `  ${value(d['opening'])
        .replaceAll('\n', ' ')
        .slice(0, Math.max(40, width - 6))}…`,
    );
  }
  const measured = Object.entries(story.signals).filter(([, signals]) => signals !== null);
  if (measured.length > 0) {
    heading('measured');
    for (const [filter, signals] of measured)
      out.push(
        `  ${filter}: ${Object.entries(signals)
          .map(([k, v]) => `${k} ${value(v) || '–'}`)
          .join(', ')}`,
      );
  }
  if (story.edits.length > 0) {
    heading('changed');
    for (const e of story.edits) out.push(`  ${plain(e.rule)}: ${e.count} (${e.spans})`);
  }
  const decided = story.decisions.filter((x) => x['verdict'] !== 'edit');
  if (decided.length > 0) {
    heading('decided');
    const rows: Cell[][] = decided.map((x) => [
      value(x['stage']),
      value(x['verdict']),
      value(x['rule']),
      value(x['label'] ?? x['value']),
      value(x['threshold']),
      value(x['evidence']),
    ]);
    out.push(
      formatTable(['stage', 'verdict', 'rule', 'value', 'threshold', 'evidence'], rows, width - 2).replaceAll(
        /^/gm,
        '  ',
      ),
    );
  }
  for (const x of story.duplicates) {
    const isCopy = x['document_id'] === d?.['id'];
    out.push(
      `  ${isCopy ? `a copy of ${value(x['kept_url'] ?? x['kept_id'])}` : `${value(x['document_id'])} is a copy of it`}: ${value(x['kind'])}, similarity ${value(x['similarity'])}`,
    );
  }
  heading('in the end');
  if (story.snapshot)
    out.push(
      `  selected for ${value(story.snapshot['split'])}${story.snapshot['repeats'] === 1 ? '' : `, ${value(story.snapshot['repeats'])} times an epoch`}`,
    );
  for (const s of story.shards)
    out.push(`  ${value(s['shard'])}: ${value(s['length'])} tokens from ${value(s['offset'])} on`);
  for (const r of story.runs) out.push(`  trained on by ${value(r['run'])} (${value(r['steps'])} steps)`);
  const drop = story.decisions.find((x) => x['verdict'] === 'drop' || x['verdict'] === 'refuse');
  if (d && drop) out.push(`  dropped by ${value(drop['stage'])}, rule ${value(drop['rule'])}`);
  else if (!d)
    out.push(`  no document was made of it${drop ? `: ${value(drop['stage'])}, rule ${value(drop['rule'])}` : ''}`);
  else if (!story.snapshot) out.push('  kept; not in a snapshot yet');
  return out.join('\n');
}
