import { expect, test } from 'vitest';
import { extract } from '../../../crawlers/extract/index.ts';
import { isoDate } from '../../../crawlers/extract/metadata.ts';
import { parseHtml, textOf } from '../../../crawlers/extract/tree.ts';

const PARAGRAPHS = [
  'The river rises in the northern hills, where three small streams meet below an old stone bridge that nobody has crossed for years.',
  'People who live along its banks still tell the story of the flood, and every spring they walk upstream to look at the snow.',
  'Short one.',
  'When the mill closed, the water was left to itself; fish came back, and after them the herons, the otters and a few patient anglers.',
];
const CHINESE = [
  '河水从北方的山里流出来，三条小溪在一座古老的石桥下汇合，那座桥已经多年没有人走过了。',
  '沿岸的居民至今还讲着那场洪水的故事，每到春天，他们都要到上游去看看积雪化了没有。',
  '“今年的雪可真大啊。”老人说。',
  '磨坊关门以后，河水无人打扰，鱼儿回来了，接着是鹭鸟、水獭，还有几个有耐心的钓鱼人。',
];
const POEM = [
  'Tyger Tyger, burning bright,',
  'In the forests of the night;',
  'What immortal hand or eye,',
  'Could frame thy fearful symmetry?',
  'In what distant deeps or skies.',
  'Burnt the fire of thine eyes?',
];

const p = (texts: readonly string[]) => texts.map((t) => `<p>${t}</p>`).join('\n');
const links = (n: number, text: string) =>
  `<ul>${Array.from({ length: n }, (_, i) => `<li><a href="/${i}">${text} ${i}</a></li>`).join('')}</ul>`;

/** Templates of three ages, with all that stands around a text. */
const TEMPLATES: Record<string, (body: string) => string> = {
  html5: (
    body,
  ) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="x"><title>The river | Valley News</title><meta property="og:title" content="The river"><style>.a{}</style><script>var x = "<p>no text</p>";</script></head>
<body><a class="skip-link" href="#main">Skip to content</a><header class="site-header"><a href="/">Valley News</a><nav>${links(6, 'Section')}</nav><form role="search"><input><button>Search</button></form></header>
<nav class="breadcrumb" aria-label="breadcrumb"><ol><li><a href="/">Home</a></li><li><a href="/n">Nature</a></li><li>The river</li></ol></nav>
<main id="main"><article><h1>The river</h1><div class="share-buttons"><a href="#">Share on Facebook</a> <a href="#">Tweet</a></div><div class="entry-content">${body}</div></article>
<aside class="related"><h2>Related stories</h2>${links(5, 'Another story about the valley, number')}</aside></main>
<footer><p>© 2024 Valley News. All rights reserved.</p><a href="/privacy">Privacy</a></footer>
<div id="onetrust-banner-sdk" role="dialog"><p>We use cookies to give you the best experience on our website. By clicking accept you agree to our privacy policy.</p><button>Accept all</button></div></body></html>`,
  blog: (
    body,
  ) => `<html><head><title>The river</title></head><body><div id="wrapper"><div id="header"><h2><a href="/">My blog</a></h2></div><div id="menu">${links(5, 'Page')}</div>
<div id="content"><div class="post"><h1 class="title">The river</h1><div class="entry">${body}</div></div></div>
<div id="sidebar"><h3>Recent posts</h3>${links(8, 'Post')}<h3>Archives</h3>${links(6, 'May')}</div><div id="footer">Powered by a blog engine. <a href="/feed">Feed</a></div></div></body></html>`,
  tables: (body) =>
    `<html><head><title>The river</title></head><body><table width=760><tr><td colspan=2><font size=5>Valley</font> <a href=/>home</a> | <a href=/l>links</a> | <a href=/c>contact</a></td></tr><tr><td width=150 valign=top>${links(7, 'Item')}</td><td><h1>The river</h1>${body}</td></tr><tr><td colspan=2><small>Last updated 1999 - <a href=mailto:x>mail</a></small></td></tr></table></body></html>`,
};

/** The lines of the body that are missing and the lines around it that were taken; the title may stand or not. */
function compare(html: string, body: readonly string[]) {
  const lines = extract(html)
    .text.split('\n')
    .filter((l) => l !== 'The river');
  return { missing: body.filter((t) => !lines.includes(t)), extra: lines.filter((l) => !body.includes(l)) };
}

test.each(Object.keys(TEMPLATES))('template %s: the whole body stays, what stands around it goes', (name) => {
  const template = TEMPLATES[name]!;
  const nothing = { missing: [], extra: [] };
  expect(compare(template(p(PARAGRAPHS)), PARAGRAPHS)).toEqual(nothing);
  expect(compare(template(p(CHINESE)), CHINESE)).toEqual(nothing);
  expect(
    compare(
      template(`${p(PARAGRAPHS)}<ul>${POEM.map((t) => `<li>${t}</li>`).join('')}</ul>${p(CHINESE.slice(0, 1))}`),
      [...PARAGRAPHS, ...POEM, CHINESE[0]!],
    ),
  ).toEqual(nothing);
  expect(
    compare(template(p([...PARAGRAPHS.slice(0, 2), POEM.join('<br>'), ...PARAGRAPHS.slice(3)])), [
      ...PARAGRAPHS.slice(0, 2),
      ...POEM,
      PARAGRAPHS[3]!,
    ]),
  ).toEqual(nothing);
});

test('what is hidden, a script, a control or a placeholder is no text', () => {
  const hidden = [
    'style="display: none"',
    'hidden',
    'aria-hidden="true"',
    'class="sr-only"',
    'style="VISIBILITY:HIDDEN;color:red"',
  ].map((a) => `<div ${a}><p>Secret words that nobody is meant to see on this page at all.</p></div>`);
  const { text } = extract(
    `<body>${p(PARAGRAPHS)}${hidden.join('')}<template><p>Template</p></template><select><option>Option</option></select><svg><text>Drawing</text></svg>${p(PARAGRAPHS.slice(3))}</body>`,
  );
  expect(text).not.toMatch(/Secret|Template|Drawing|Option/);
  expect(text).toContain(PARAGRAPHS[3]);
});

test('layout that stays readable: code keeps its lines, rows of a table are lines, no space is put between Han characters', () => {
  const code = 'for (let i = 0; i < n; i++) {\n    sum += values[i];\n}';
  const body = `${p(PARAGRAPHS)}<pre><code>${code.replaceAll('<', '&lt;')}</code></pre>${p(PARAGRAPHS.slice(0, 1))}<table><tr><th>Year</th><th>Level of the river</th></tr><tr><td>1999</td><td>4.2 metres at the bridge</td></tr></table><p>河<b>水</b>很<a href="/x">深</a>，人们不敢过去，只好在岸边等着，看天色慢慢暗下来。</p>${p(PARAGRAPHS.slice(3))}`;
  const { text } = extract(TEMPLATES['html5']!(body));
  expect(text).toContain(code);
  expect(text).toContain('1999\t4.2 metres at the bridge');
  expect(text).toContain('河水很深，人们不敢过去');
});

test('a refrain stays, a copy elsewhere on the page goes', () => {
  const refrain = 'And the water goes down to the sea, to the sea, and it never comes back to me.';
  const { text } = extract(
    `<body><div class="post">${p([PARAGRAPHS[0]!, refrain, PARAGRAPHS[1]!, refrain, PARAGRAPHS[3]!])}<blockquote class="pull"><p>${PARAGRAPHS[1]}</p></blockquote></div></body>`,
  );
  expect(text.split(refrain)).toHaveLength(3);
  expect(text.split(PARAGRAPHS[1]!)).toHaveLength(2);
});

test('metadata: each from the first source that passes its check', () => {
  const page = extract(
    `<html lang="pt_BR"><head><title>Uma notícia | Jornal</title><meta property="og:site_name" content="Jornal"><link rel="canonical" href="/a?b=1"><link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
<meta name="robots" content="index, NoAI, noimageai"><meta name="tdm-reservation" content="1"><script type="application/ld+json">{"@graph":[{"@type":"NewsArticle","headline":"Uma notícia","author":[{"name":"Ana Lima"},{"name":"Rui Sá"}],"datePublished":"2023-04-05T06:07:08+0100",}]}</script></head><body>${p(PARAGRAPHS)}</body></html>`,
    {
      url: 'https://jornal.example/x/y',
      headers: [
        ['X-Robots-Tag', 'otherbot: noindex'],
        ['X-Robots-Tag', 'noarchive'],
      ],
    },
  );
  expect(page).toMatchObject({
    title: 'Uma notícia',
    author: 'Ana Lima, Rui Sá',
    published: '2023-04-05T06:07:08+01:00',
    language: 'pt-BR',
    licence: 'https://creativecommons.org/licenses/by/4.0/',
    canonical: 'https://jornal.example/a?b=1',
    optOuts: ['noarchive', 'noai', 'noimageai', 'tdm-reservation'],
    metadata: { site: 'Jornal', kind: 'NewsArticle' },
  });
  expect(
    extract('<meta property="og:title" content="War - and - Peace"><h1>War - and - Peace</h1><h1>Peace</h1><p>x').title,
  ).toBe('War - and - Peace');
  expect(extract('<title>新闻标题很长很长_人民网</title><p>正文').title).toBe('新闻标题很长很长');
  expect(
    extract(
      '<title>Guide - Everything about rivers and lakes - Site</title><h1>Everything about rivers and lakes</h1><p>x',
    ).title,
  ).toBe('Everything about rivers and lakes');
});

test.each([
  ['2024-05-01T10:00:00.000Z', '2024-05-01T10:00:00Z'],
  ['2024/5/1 9:30', '2024-05-01T09:30'],
  ['2024年5月1日 10:30', '2024-05-01T10:30'],
  ['20240501', '2024-05-01'],
  ['May 1, 2024', '2024-05-01'],
  ['1 May 2024 at noon', '2024-05-01'],
  ['1st September 2024', '2024-09-01'],
  ['yesterday', null],
  ['2024-13-01', null],
  ['0000-00-00', null],
])('date %s → %s', (stated, iso) => expect(isoDate(stated)).toBe(iso));

test('content only in JSON-LD or noscript is found; a page of nothing but menus is no text', () => {
  const body = PARAGRAPHS.join(' ').repeat(2);
  const app = extract(
    `<html><head><script type="application/ld+json">${JSON.stringify({ '@type': 'Article', articleBody: body })}</script></head><body><div id="root"></div></body></html>`,
  );
  expect(app).toMatchObject({ text: body, metadata: { text_source: 'json_ld' } });
  expect(extract('<body><script>app()</script></body>')).toMatchObject({ text: '', reason: 'no_text' });
});

const big = (n: number, text: string) => text.repeat(n);
test.each<[string, () => string | Uint8Array]>([
  ['nothing', () => ''],
  ['lone surrogates', () => `<title>\uD800</title><p>${big(50, 'a \uDC00 b. ')}</p>`],
  ['100,000 nested divs', () => `${big(100_000, '<div>')}deep`],
  ['100,000 open formatting tags', () => Array.from({ length: 100_000 }, (_, i) => `<b id=${i}>`).join('x')],
  ['300,000 links', () => big(300_000, '<a href=/>x</a> ')],
  [
    '50,000 paragraphs',
    () =>
      Array.from({ length: 50_000 }, (_, i) => `<p>Paragraph number ${i} of a very long page, which goes on.`).join(''),
  ],
  [
    'a megabyte of one attribute',
    () => `<p class="${big(200_000, 'comment ')}" style="${big(100_000, 'opacity : ')}">x</p>`,
  ],
  ['an unclosed comment', () => `<p>Before.</p><!--${big(100_000, '<p>inside')}`],
  ['nested tables', () => big(20_000, '<table><tr><td>')],
  ['spaces and line feeds', () => `<p>${big(500_000, ' \n\u3000\u00A0')}x<br>${big(100_000, '<br> ')}`],
  ['400,000 spaces inside a line of pre', () => `<pre>x${big(400_000, ' ')}y</pre>`],
  ['400,000 blank lines of pre', () => `<pre>x${big(400_000, ' \n')}y</pre>`],
  ['200,000 line breaks between two words', () => `<p>a${big(200_000, '<br>')}b${big(200_000, '<br> ')}c</p>`],
  ['one word of a million letters', () => `<p>${big(1_000_000, 'a')}</p>`],
  ['a million dots and dashes', () => `<title>${big(100_000, '- | ')}</title><p>${big(500_000, '. ')}`],
  ['random bytes', () => Uint8Array.from({ length: 200_000 }, (_, i) => (i * 2654435761) >>> 13)],
  ['JSON-LD of brackets', () => `<script type="application/ld+json">${big(100_000, '[')}</script><p>x`],
])(
  'hostile page: %s',
  (_name, make) => {
    const page = extract(make(), { url: 'https://e.org/' });
    expect(page.text.isWellFormed() && (page.title ?? '').isWellFormed()).toBe(true);
    expect(page.text === '' ? page.reason : undefined).toBe(page.text === '' ? (page.reason ?? 'a reason') : undefined);
  },
  10_000,
);

test('a plain text: ends of lines and of the text are trimmed, runs of white space inside it cost nothing', () => {
  const plain = (text: string) => extract(text, { mediaType: 'text/plain' }).text;
  expect(plain('\n\n  a \t\r\nb\u2028 c  \u2028d\n \n')).toBe('  a\nb\u2028 c\u2028d');
  const inside = `x${big(400_000, ' ')}y${big(400_000, '\t\n')}z`;
  expect(plain(inside)).toHaveLength(400_000 + 3 + 400_000);
});

test('limits cut a page and say so; 20,000 nested elements keep their text', () => {
  expect(extract(`${big(20_000, '<div>')}deep`).text).toBe('deep');
  expect(extract(p(PARAGRAPHS), { limits: { characters: 200, nodes: 1000, depth: 100 } }).metadata['cut']).toBe(
    'too_long',
  );
  expect(parseHtml(big(100, '<p>x'), { characters: 1e6, nodes: 50, depth: 100 }).cut).toBe('too_many_nodes');
  expect(textOf(parseHtml(big(40_000, '<div>')).document)).toBe('');
});
