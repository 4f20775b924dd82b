import { openCatalog, type Catalog } from '../../datasets/lake/catalog.ts';
import { query } from '../../datasets/lake/query.ts';
import type { Manifest, PageTruth } from './manifest.ts';

/** How many of something were found, and which were not. */
export interface Share {
  found: number;
  of: number;
  missed: string[];
}

/** What a lake made of the site, held against the manifest of truth. */
export interface SiteScore {
  /** URLs whose outcome and reason are those of the manifest. */
  outcomes: Share;
  /** Exact copies that stand in `duplicates` with their original. */
  exact: Share;
  /** Planted near-duplicates with a true similarity of at least 0.85 that stand in `duplicates`. */
  near: Share;
  /** Planted pairs below the threshold of 0.8 that were called duplicates all the same: `found` should be 0. */
  falseNear: Share;
  /** Personal values by type that the edited text does not show any more although the extracted text had them. */
  personal: Record<string, Share>;
  /** Pages with text in a kept language and without planted trouble that were dropped (`found`), by language. */
  dropped: Record<string, Share>;
  /** Planted gibberish, spam and toxic pages that were dropped. */
  trouble: Record<string, Share>;
}

const CLEAN = new Set(['chapter', 'speech', 'declaration']);
const KEPT_LANGUAGES: Record<string, string> = { en: 'en', eng: 'en', zh: 'zh', cmn: 'zh' };

const primary = (page: PageTruth): string | undefined => KEPT_LANGUAGES[(page.language ?? '').split('-')[0]!];

function share(items: readonly { name: string; good: boolean }[]): Share {
  return {
    found: items.filter((i) => i.good).length,
    of: items.length,
    missed: items.filter((i) => !i.good).map((i) => i.name),
  };
}

/** Compares a lake with the manifest of the site that was crawled into it. `base` is the site's URL without its last slash. */
export async function scoreSite(lake: string, recipe: string, manifest: Manifest, base: string): Promise<SiteScore> {
  const catalog = await openCatalog(lake, { recipe, raw: true });
  try {
    const captures = await pathsOf(catalog, base, 'select url, outcome, reason from captures');
    const documents = await pathsOf(
      catalog,
      base,
      `select d.url, d.id, d.keep, d.reason, d.text, e.text as extracted from documents d join documents_extracted e on e.id = d.id`,
    );
    const groups = await duplicateGroups(catalog);
    const page = (path: string) =>
      documents.get(path) as
        | { id: string; keep: boolean; reason: string | null; text: string; extracted: string }
        | undefined;
    const together = (a: string, b: string) => {
      const [one, two] = [page(a)?.id, page(b)?.id];
      return one !== undefined && two !== undefined && (groups.get(one) ?? one) === (groups.get(two) ?? two);
    };
    const values = manifest.pages.flatMap((p) => p.personal.map((v) => ({ path: p.path, ...v })));
    const types = [...new Set(values.map((v) => v.type))].toSorted();
    const clean = manifest.pages.filter(
      (p) => p.text !== null && p.personal.length === 0 && CLEAN.has(p.kind) && p.expected.outcome === 'fetched',
    );
    return {
      outcomes: share(
        manifest.pages.map((p) => {
          const got = captures.get(p.path);
          const is = got
            ? `${String(got['outcome'] as string)} ${String((got['reason'] as string | null) ?? '')}`.trim()
            : 'not touched';
          const should = `${p.expected.outcome} ${p.expected.reason ?? ''}`.trim();
          return { name: `${p.path}: ${is}, should be ${should}`, good: is === should };
        }),
      ),
      exact: share(manifest.duplicates.map((p) => ({ name: `${p.a} ${p.b}`, good: together(p.a, p.b) }))),
      near: share(
        manifest.near
          .filter((p) => p.jaccard >= 0.85)
          .map((p) => ({ name: `${p.a} ${p.b} (${p.jaccard})`, good: together(p.a, p.b) })),
      ),
      falseNear: share(
        manifest.near
          .filter((p) => p.jaccard < 0.8)
          .map((p) => ({ name: `${p.a} ${p.b} (${p.jaccard})`, good: together(p.a, p.b) })),
      ),
      personal: Object.fromEntries(
        types.map((type) => [
          type,
          share(
            values
              .filter((v) => v.type === type)
              .map((v) => {
                const document = page(v.path);
                return {
                  name: `${v.path}: ${v.value}`,
                  good:
                    document !== undefined && document.extracted.includes(v.value) && !document.text.includes(v.value),
                };
              }),
          ),
        ]),
      ),
      dropped: Object.fromEntries(
        ['en', 'zh'].map((language) => [
          language,
          dropped(
            clean.filter((p) => primary(p) === language),
            twins(manifest),
            (path) => page(path),
          ),
        ]),
      ),
      trouble: Object.fromEntries(
        ['gibberish', 'spam', 'toxic'].map((kind) => [
          kind,
          share(
            manifest.pages
              .filter((p) => p.kind === kind)
              .map((p) => ({ name: p.path, good: page(p.path)?.keep === false })),
          ),
        ]),
      ),
    };
  } finally {
    catalog.close();
  }
}

/** Pages that say what another page says: planted copies and their originals, and what is alike by nature. */
const twins = (manifest: Manifest): Set<string> =>
  new Set(
    [...manifest.duplicates, ...[...manifest.near, ...manifest.natural].filter((p) => p.jaccard >= 0.8)].flatMap(
      (p) => [p.a, p.b],
    ),
  );

/** Clean pages that are not kept. One that fell as a duplicate is not lost where the manifest knows its twin. */
function dropped(
  pages: readonly PageTruth[],
  alike: ReadonlySet<string>,
  page: (path: string) => { keep: boolean; reason: string | null } | undefined,
): Share {
  const lost = pages
    .map((p) => ({ path: p.path, document: page(p.path) }))
    .filter(({ path, document }) => !document?.keep && !(alike.has(path) && document?.reason?.endsWith('_duplicate')));
  return {
    found: lost.length,
    of: pages.length,
    missed: lost.map(({ path, document }) => `${path}: ${document?.reason ?? 'no document'}`),
  };
}

async function pathsOf(catalog: Catalog, base: string, sql: string): Promise<Map<string, Record<string, unknown>>> {
  const result = await query(catalog, sql);
  const names = result.columns.map((c) => c.name);
  const records = result.rows.map((row) => Object.fromEntries(names.map((n, i) => [n, row[i]])));
  return new Map(
    records
      .filter((r) => String(r['url'] as string).startsWith(base))
      .map((r) => [(r['url'] as string).slice(base.length), r]),
  );
}

/** Document → the one that stands for its group. */
async function duplicateGroups(catalog: Catalog): Promise<Map<string, string>> {
  const { rows } = await query(catalog, 'select document_id, kept_id from duplicates');
  return new Map(rows as [string, string][]);
}
