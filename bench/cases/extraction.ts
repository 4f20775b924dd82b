// Main text of HTML pages: word F1 on four marked sets against the rivals' stored scores, and MB of HTML a second.
// Limit: parse5's tree alone takes 30 MB/s on a core; the walk, the numbers and the trees are to cost no more than it does.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../core/root.ts';
import { extract } from '../../crawlers/extract/index.ts';
import { parseHtml } from '../../crawlers/extract/tree.ts';
import { goldPages, mean, SETS, wordF1, type GoldPage, type SetName } from '../extraction/score.ts';
import { defineBench, interleave, median, type Figure } from '../harness.ts';

interface Floor {
  /** Word F1 of the model that ships; it was trained on these pages. */
  score: number;
  /** The same by five-fold cross-validation over sites: what pages never seen can expect. */
  cross_validated: number;
  digest: string;
}

interface Rivals {
  own_runs: Record<string, Record<string, { word?: { f1: number } }>>;
}

export default defineBench({
  name: 'extraction',
  limit: 'parse5 alone builds its tree at about 30 MB/s on one core',
  async *run({ quick, say }) {
    const folder = join(packageRoot, '..', 'shared', 'data', 'extraction');
    if (!existsSync(folder)) {
      say('the marked pages (../shared/data/extraction) are not on this machine');
      return;
    }
    const floors = (
      JSON.parse(readFileSync(join(packageRoot, 'bench', 'floors.json'), 'utf8')) as {
        extraction: Record<string, Floor>;
      }
    ).extraction;
    const rivals = (JSON.parse(readFileSync(join(folder, 'rivals.json'), 'utf8')) as Rivals).own_runs;
    let timed: GoldPage[] = [];
    for (const set of SETS) {
      const { pages, digest } = goldPages(folder, set);
      if (set === 'scrapinghub') timed = Object.values(pages);
      const floor = floors[set]!;
      const scores = Object.values(pages).flatMap(({ html, text }) =>
        text === null ? [] : [wordF1(text, extract(html).text)],
      );
      yield* quality(set, mean(scores), digest, floor, rivals[set] ?? {}, say);
    }
    const inputs = timed.slice(0, quick ? 30 : undefined).map((p) => Buffer.from(p.html));
    const megabytes = inputs.reduce((n, b) => n + b.length, 0) / 1e6;
    const times = await interleave(
      quick ? 2 : 5,
      () => inputs.forEach((b) => extract(b)),
      () => inputs.forEach((b) => parseHtml(b.toString())),
    );
    yield {
      bench: 'extraction',
      case: `${inputs.length} pages of scrapinghub`,
      metric: 'HTML',
      value: megabytes / median(times.a),
      unit: 'MB/s',
      rival: 'parse5, tree only',
      rivalValue: megabytes / median(times.b),
      ratio: median(times.b) / median(times.a),
      note: 'one core; bytes to text and metadata',
    };
  },
});

function* quality(
  set: SetName,
  score: number,
  digest: string,
  floor: Floor,
  rivals: Rivals['own_runs'][string],
  say: (text: string) => void,
): Generator<Figure> {
  if (digest !== floor.digest) say(`${set}: the pages have changed since the floor was set (${digest})`);
  const best = Object.entries(rivals)
    .flatMap(([name, r]) => (r.word ? [{ name, f1: r.word.f1 }] : []))
    .toSorted((a, b) => b.f1 - a.f1)[0];
  yield {
    bench: 'extraction',
    case: set,
    metric: 'word F1',
    value: score,
    unit: '',
    bar: `>= ${floor.score}`,
    note: 'pages that the model was trained on; the bar is the floor',
  };
  yield {
    bench: 'extraction',
    case: set,
    metric: 'word F1, cross-validated by site',
    value: floor.cross_validated,
    unit: '',
    ...(best ? { rival: best.name, rivalValue: best.f1, ratio: floor.cross_validated / best.f1 } : {}),
    note: 'as stored in floors.json; measured by node dist/bench/extraction/train.js',
  };
}
