import type { Block } from './blocks.ts';

/** Numbers that depend on a block's own text. */
export const TEXT_NUMBERS = [
  'ln_units',
  'ln_lines',
  'digits',
  'capitals',
  'han',
  'punctuation',
  'ends',
  'ends_per_unit',
  'end_mark',
  'end_colon',
  'end_ellipsis',
  'lower_start',
  'commas',
  'stop_words',
  'word_length',
  'copyright',
  'mail_or_url',
  'price',
  'date',
  'pipe_or_arrow',
  'question',
  'says_more',
  'says_subscribe',
  'says_credit',
  'says_consent',
  'says_end',
] as const;
export type TextNumber = (typeof TEXT_NUMBERS)[number];

const STOP_WORDS = new Set(
  (
    'the of and to in a is that for it on with as was at by this be are from or an have not but which they you we his her ' +
    'de la le les des et en un une du que est pour dans qui au sur par pas ' +
    'der die das und ist in den von zu mit sich des auf nicht ein eine als auch es ' +
    'el los las y por con para se del una su al lo como o que no da do em um uma com os dos não ' +
    'di il che è per del della non si le sono van het een dat op te zijn met ' +
    'и в не на что с по как это из у за от для к но och att som är på för det ve bir bu için ile w z na się nie do jest to'
  ).split(/\s+/),
);
const FUNCTION_HAN = new Set(
  '的一是了在不有人这這为為上他我们們到以中和也就你会會说說对對要而于於与與之来來被但还還很所其么麼都没沒去把',
);

const MORE =
  /^(?:read (?:more|also|next)|see also|also read|more (?:from|on|in|stories)|related|recommended|watch(?::| now| the)|listen|you may|don.t miss|leia|lire aussi|à lire|lea también|te puede|leggi anche|mehr zum|lesen sie|siehe auch|читайте|延伸阅读|相关(?:阅读|新闻|文章|链接|推荐)|推荐阅读|更多|热门|関連)/i;
const SUBSCRIBE =
  /newsletter|subscri|sign up|your inbox|follow (?:us|me|him|her|@)|on (?:twitter|facebook|instagram)|download (?:our|the) app|get the latest|donat|abonn|订阅|关注我们|公众号|扫码|二维码|扫一扫|点击下载/i;
const CREDIT =
  /\((?:ap|reuters|getty|afp|photo|image)\b|getty images|file photo|photo(?:graph)?(?: by|:| credit)|image(?: credit|:| source)|courtesy|shutterstock|\/(?:ap|afp|reuters|getty)\b|图片来源|资料图|新华社.{0,8}摄|foto:/i;
const CONSENT = /\bcookies?\b|consent|privacy policy|gdpr|datenschutz|隐私政策|使用条款|terms of (?:use|service)/i;
/** What stands above or in the lines that end an article: comments, related, tags, share. */
const ENDS =
  /^(?:\d{1,6} )?(?:comments?\b|leave a (?:reply|comment)|add (?:your|a) comment|post a (?:comment|reply)|join the (?:discussion|conversation)|related|recommended|more (?:from|stories)|most (?:read|popular)|latest|trending|popular|share (?:this|on)|tags?:|filed under|about the author|you (?:may|might) also|sign up|subscribe|kommentare|commentaires|comentarios|comentários|commenti|责任编辑|编辑[:：]|声明|版权|上一篇|下一篇|分享|评论|网友评论|相关|热点|推荐|最新|标签)/i;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
const share = (part: number, of: number): number => (of > 0 ? part / of : 0);

/** Does a short block announce what comes after an article? */
export const announcesEnd = (b: Block): boolean => b.units < 40 && ENDS.test(b.text.slice(0, 300));

/** Does a block begin as the heads of link lists do: related, read more, you may also like? */
export const announcesMore = (b: Block): boolean => MORE.test(b.text.slice(0, 300)) || announcesEnd(b);

/** Measures a block's text, at most its first 4,000 code units. */
export function textNumbers(b: Block, put: (name: TextNumber, value: number) => void): void {
  const text = b.text.length > 4000 ? b.text.slice(0, 4000) : b.text;
  const length = text.length;
  const han = count(text, /\p{sc=Han}/gu);
  const words = text.match(/[\p{L}\p{N}]+/gu) ?? [];
  put('ln_units', Math.log1p(b.units));
  put('ln_lines', Math.log1p(count(text, /\n/g)));
  put('digits', count(text, /\p{Nd}/gu) / length);
  put('capitals', count(text, /\p{Lu}/gu) / length);
  put('han', han / length);
  put('punctuation', count(text, /\p{P}/gu) / length);
  const ends = count(text, /[.!?](?=\s|$)|[。！？…]/g);
  put('ends', Math.log1p(ends));
  put('ends_per_unit', (100 * ends) / (b.units + 1));
  put('end_mark', /[.!?。！？…]["'”’）)」』\]]?$/.test(text) ? 1 : 0);
  put('end_colon', /[:：]$/.test(text) ? 1 : 0);
  put('end_ellipsis', /(?:…|\.\.\.|»|›|→|>>?)$/.test(text) ? 1 : 0);
  put('lower_start', /^\p{Ll}/u.test(text) ? 1 : 0);
  put('commas', (100 * count(text, /[,，、；;،]/g)) / (b.units + 1));
  let stops = 0;
  for (const w of words) if (STOP_WORDS.has(w.toLowerCase())) stops++;
  let functions = 0;
  if (han > 0) for (const c of text) if (FUNCTION_HAN.has(c)) functions++;
  put('stop_words', han > words.length ? Math.min(1, (2.5 * functions) / han) : share(stops, words.length));
  put(
    'word_length',
    han > words.length
      ? 5
      : share(
          words.reduce((n, w) => n + w.length, 0),
          words.length,
        ),
  );
  put('copyright', /©|®|copyright|all rights reserved|版权所有|備案|备案/i.test(text) ? 1 : 0);
  put('mail_or_url', /[\w.]@[\w-]|https?:\/\/|www\./.test(text) ? 1 : 0);
  put('price', /[$€£¥￥]\s?\d|\d\s?(?:€|元|USD|EUR)/.test(text) ? 1 : 0);
  put(
    'date',
    b.units < 60 &&
      /(?:19|20)\d\d|\d{1,2}[:：]\d\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\b|\d\s?(?:days?|hours?|min|月|日|小时|天)/i.test(
        text,
      )
      ? 1
      : 0,
  );
  put('pipe_or_arrow', /[|›»>→•·]/.test(text) ? 1 : 0);
  put('question', /[?？]/.test(text) ? 1 : 0);
  const start = b.text.slice(0, 300);
  put('says_more', MORE.test(start) ? 1 : 0);
  put('says_subscribe', b.units < 160 && SUBSCRIBE.test(start) ? 1 : 0);
  put('says_credit', b.units < 160 && CREDIT.test(b.text.slice(-300)) ? 1 : 0);
  put('says_consent', b.units < 240 && CONSENT.test(start) ? 1 : 0);
  put('says_end', announcesEnd(b) ? 1 : 0);
}
