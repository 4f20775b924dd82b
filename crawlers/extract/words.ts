/**
 * What class and id names say, as bits: designers of thousands of templates use the same hundred words.
 * A name is cut at `-`, `_`, digits and capitals; a part counts when it is one of the words, or begins with one of five letters or more.
 */
const CONCEPTS = {
  content: 'content contents body text main prose markdown richtext rte copy maincontent zhengwen neirong',
  article: 'article articles story news entry hentry blog editorial',
  post: 'post posts thread topic message messages msg viewtopic postbody',
  comment: 'comment comments commentlist discuss disqus respond pinglun guestbook',
  reply: 'reply replies answer answers quote',
  author: 'author authors byline writer user username profile avatar bio contributor bianji',
  date: 'date time datetime published timestamp pubtime created modified dateline',
  tag: 'tag tags category categories keyword keywords label labels cat topics',
  share:
    'share shares sharing social facebook twitter addthis sharethis weibo weixin pinterest follow like likes fenxiang',
  related:
    'related recommend recommended recommendation recommendations recirc more also similar popular trending latest recent outbrain taboola readmore xiangguan tuijian hot promo upsell',
  next: 'next prev previous pager pagination paging pages paginator page-numbers',
  nav: 'nav navigation navbar menu menus submenu topnav subnav tabs tab toc menubar mainmenu daohang',
  breadcrumb: 'breadcrumb breadcrumbs crumb crumbs weizhi',
  sidebar: 'sidebar side aside rail widget widgets sidecol secondary',
  header: 'header head masthead top banner logo branding topbar',
  footer: 'footer foot bottom copyright legal colophon disclaimer',
  ad: 'ad ads advert adverts advertisement sponsor sponsored adsense dfp gpt adbox guanggao',
  cookie:
    'cookie cookies consent gdpr ccpa onetrust cookiebot cybotcookiebot didomi usercentrics truste trustarc quantcast qc cmp osano termly iubenda klaro cookieyes borlabs cmplz privacy',
  newsletter: 'newsletter newsletters subscribe subscription signup mailing mailchimp optin',
  form: 'form login signin account register search searchbox modal popup dialog overlay lightbox dropdown tooltip',
  caption:
    'caption figcaption credit credits photo image images img gallery media video thumb thumbnail figure slideshow',
  product: 'product products sku shop store catalog item items',
  price: 'price prices pricing cart buy rating ratings review reviews stock',
  card: 'card cards teaser teasers tile tiles grid list listing feed results result hero carousel slider panel',
  meta: 'meta metadata info infos details stats count counter views postmeta',
  intro: 'summary lead lede excerpt dek subtitle subhead standfirst abstract description desc intro deck tagline',
  title: 'title headline heading headings',
  code: 'code highlight syntaxhighlighter gist codehilite',
  tool: 'toolbar tools tool button buttons btn print action actions controls edit icon icons cta',
  notice: 'notice alert warning error message-box noprint skip hatnote',
} as const;

export type Concept = keyof typeof CONCEPTS;
/** In the order of their bits. */
export const CONCEPT_NAMES = Object.keys(CONCEPTS) as Concept[];
/** The bit of a concept. */
export const bit = (concept: Concept): number => 1 << CONCEPT_NAMES.indexOf(concept);

const WORDS = new Map<string, number>();
for (const [i, name] of CONCEPT_NAMES.entries()) {
  for (const word of CONCEPTS[name].split(' ')) WORDS.set(word, (WORDS.get(word) ?? 0) | (1 << i));
}
const LONG = [...WORDS].filter(([word]) => word.length >= 5);

/** The concepts of an element's class and id, as a bit set (30 bits). */
export function conceptsOf(name: string): number {
  let bits = 0;
  const parts = name.slice(0, 512).match(/[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+/g) ?? [];
  for (const part of parts) {
    const word = part.toLowerCase();
    const known = WORDS.get(word);
    if (known !== undefined) bits |= known;
    else if (word.length > 5) for (const [long, its] of LONG) if (word.startsWith(long)) bits |= its;
  }
  return bits;
}
