// Trains the block model of the main-text extractor: node dist/bench/extraction/train.js [--write]
// Cross-validation by site first (5 folds); with --write the model of all pages goes to crawlers/extract/main-text.model.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asset, packageRoot } from '../../core/root.ts';
import { blocksOf, type Blocks } from '../../crawlers/extract/blocks.ts';
import { FEATURES, featuresOf, type PageContext } from '../../crawlers/extract/features.ts';
import { contextOf, metadataOf } from '../../crawlers/extract/metadata.ts';
import { chooseBlocks, render } from '../../crawlers/extract/main-text.ts';
import { MODEL_FILE, scoreBlocks } from '../../crawlers/extract/model.ts';
import { parseHtml } from '../../crawlers/extract/tree.ts';
import { boost, random, type BoostOptions, type Rows } from './boosting.ts';
import { labelBlocks, scoredWords } from './labels.ts';
import { goldPages, mean, SETS, wordF1 } from './score.ts';

/** What the shipped model was trained with. */
export const OPTIONS: BoostOptions = {
  trees: 300,
  depth: 5,
  rate: 0.05,
  leaf: 0.001,
  lambda: 0.003,
  rows: 0.4,
  columns: 0.2,
  seed: 7,
};

export interface LearningPage {
  set: string;
  id: string;
  group: string;
  gold: string;
  page: Blocks;
  context: PageContext;
  x: Float32Array;
  y: Float32Array;
  weight: Float32Array;
  fold: number;
}

const hash = (text: string): number => {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
};

/** Pages of the shared sets with gold text, in blocks, with labels; `folder` is shared/data/extraction. */
export function learningPages(folder: string): LearningPage[] {
  const out: LearningPage[] = [];
  for (const set of SETS) {
    const { pages } = goldPages(folder, set);
    for (const [id, { html, text, url, group }] of Object.entries(pages)) {
      if (text === null) continue;
      const { document } = parseHtml(html);
      const page = blocksOf(document);
      const meta = metadataOf(document);
      const context = contextOf(meta);
      const x = featuresOf(page, context);
      const y = labelBlocks(page.blocks, text);
      const goldWords = scoredWords(text).length;
      const weight = Float32Array.from(
        page.blocks,
        (b) => Math.min(1, b.units / 2 / (goldWords + 40)) + 0.15 / page.blocks.length,
      );
      const sum = weight.reduce((a, b) => a + b, 0);
      if (sum > 2) for (let i = 0; i < weight.length; i++) weight[i]! *= 2 / sum;
      let site = id;
      try {
        if (url) site = new URL(url).hostname.split('.').slice(-2).join('.');
      } catch {
        site = id;
      }
      out.push({ set, id, group: group ?? set, gold: text, page, context, x, y, weight, fold: hash(site) % 5 });
    }
    const mine = out.filter((p) => p.set === set);
    for (const p of mine) for (let i = 0; i < p.weight.length; i++) p.weight[i]! *= 250 / mine.length;
  }
  return out;
}

/** One matrix of many pages; names of classes are hidden on every fifth page, so that the model also works without them. */
export function stack(pages: readonly LearningPage[], seed: number): Rows {
  const width = FEATURES.length;
  const n = pages.reduce((sum, p) => sum + p.y.length, 0);
  const x = new Float32Array(n * width);
  const y = new Float32Array(n);
  const weight = new Float32Array(n);
  const names = FEATURES.map((f) => /^(?:near|above)_/.test(f));
  const draw = random(seed);
  const page = new Int32Array(n);
  let at = 0;
  for (const [k, p] of pages.entries()) {
    page.fill(k, at, at + p.y.length);
    x.set(p.x, at * width);
    if (draw() < 0.2)
      for (let i = at; i < at + p.y.length; i++) for (let f = 0; f < width; f++) if (names[f]) x[i * width + f] = 0;
    y.set(p.y, at);
    weight.set(p.weight, at);
    at += p.y.length;
  }
  return { width, x, y, weight, page };
}

/** Pages of each fold as a model sees them that was trained on the other folds; gives the text of each page by its id. */
export function crossValidate(pages: readonly LearningPage[], options: BoostOptions): Map<string, string> {
  const texts = new Map<string, string>();
  for (let fold = 0; fold < 5; fold++) {
    const others = pages.filter((p) => p.fold !== fold);
    const model = boost(stack(others, 1), FEATURES, options);
    for (const p of pages) {
      if (p.fold !== fold) continue;
      const kept = chooseBlocks(p.page, p.context, scoreBlocks(model, p.x, FEATURES.length));
      texts.set(p.id, kept ? render(p.page, kept) : '');
    }
  }
  return texts;
}

if (process.argv[1]?.endsWith('train.js')) {
  const pages = learningPages(join(packageRoot, '..', 'shared', 'data', 'extraction'));
  console.log(`${pages.length} pages, ${pages.reduce((n, p) => n + p.y.length, 0)} blocks, ${FEATURES.length} numbers`);
  if (process.argv.includes('--write')) {
    writeFileSync(asset(MODEL_FILE), `${JSON.stringify(boost(stack(pages, 1), FEATURES, OPTIONS))}\n`);
  } else {
    const texts = crossValidate(pages, OPTIONS);
    for (const set of SETS) {
      const mine = pages.filter((p) => p.set === set);
      for (const group of new Set(['all', ...mine.map((p) => p.group)])) {
        const f1 = mine
          .filter((p) => group === 'all' || p.group === group)
          .map((p) => wordF1(p.gold, texts.get(p.id)!));
        console.log(`${set} ${group}: word F1 ${mean(f1).toFixed(4)} (${f1.length} pages)`);
      }
    }
  }
}
