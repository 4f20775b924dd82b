/** The four parts of the site; each has markup of its own. */
export const SECTIONS = ['wenku', 'speeches', 'book', 'rights'] as const;
export type Section = (typeof SECTIONS)[number];

/** A piece of main text. */
export interface Block {
  tag: 'p' | 'h2' | 'li';
  text: string;
}

/** What a page is, in the manifest's words. */
export type Kind =
  | 'chapter'
  | 'speech'
  | 'declaration'
  | 'duplicate'
  | 'near'
  | 'gibberish'
  | 'spam'
  | 'toxic'
  | 'listing'
  | 'opt_out'
  | 'private'
  | 'javascript'
  | 'trap';

/** A value that was put into a text: to be found by its type. */
export interface PersonalValue {
  type: 'EMAIL_ADDRESS' | 'PHONE_NUMBER' | 'CN_MOBILE' | 'CREDIT_CARD' | 'CN_ID';
  value: string;
}

/** How a page's bytes are written where that is not UTF-8 with a header. */
export interface Encoding {
  charset: 'gbk' | 'windows-1252';
  /** Where the page says so. */
  declared: 'header' | 'meta' | 'nowhere';
}

/** A page with a text of its own. */
export interface Article {
  path: string;
  section: Section;
  kind: Kind;
  /** BCP 47. */
  language: string;
  direction: 'ltr' | 'rtl';
  title: string;
  /** Chapter, speaker or language: a step of the breadcrumbs and the name of its list. */
  group: string;
  blocks: Block[];
  personal: PersonalValue[];
  encoding?: Encoding;
  /** Value of <meta name="robots">. */
  metaRobots?: string;
  /** Value of the X-Robots-Tag header. */
  headerRobots?: string;
}

/** The main text as it should come out: blocks parted by line feeds, without the title. */
export const mainText = (article: Pick<Article, 'blocks'>): string => article.blocks.map((b) => b.text).join('\n');

/** What a crawl should make of a URL: outcome and reason as in the table `captures`. */
export interface Expected {
  outcome: 'fetched' | 'redirected' | 'failed' | 'refused' | 'skipped' | 'needs_browser' | 'not_page';
  reason: string | null;
}

/** An answer of the server. `send` replaces the body for pages that never end. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  endless?: 'drip' | 'flood';
}
