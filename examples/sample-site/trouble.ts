import { createRequire } from 'node:module';
import type { Random } from './random.ts';
import type { Article, Block } from './types.ts';

// Pages that a filter should drop. The abusive words are taken from a list when the site is built and stand in no file.

const paragraph = (text: string): Block => ({ tag: 'p', text });
const many = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);

/** Letters, or characters, thrown together. */
export function gibberish(chinese: boolean, random: Random): Block[] {
  const word = () => many(3 + random.int(8), () => 'bcdfghjklmnpqrstvwxzaeiouy'[random.int(26)]!).join('');
  const character = () => String.fromCodePoint(0x4e00 + random.int(0x51a0));
  const sentence = () =>
    chinese ? `${many(12 + random.int(16), character).join('')}。` : `${many(8 + random.int(10), word).join(' ')}.`;
  return many(8, () => paragraph(many(4, sentence).join(chinese ? '' : ' ')));
}

/** What a page of keyword spam offers: page i has offer i. */
const ENGLISH_OFFERS = ['watches', 'handbags', 'sneakers', 'car insurance', 'phone cases', 'diet tea'];
const CHINESE_OFFERS = ['代开发票', '刻章办证', '信用卡套现', '减肥茶', '网络兼职', '老虎机'];

/** One offer over and over. */
export function keywordSpam(chinese: boolean, page: number, random: Random): Block[] {
  const offer = (chinese ? CHINESE_OFFERS : ENGLISH_OFFERS)[page % ENGLISH_OFFERS.length]!;
  const phrases = chinese
    ? [offer, `正规${offer}`, `本地${offer}`, `${offer}价格优惠`, `${offer}电话`]
    : [`cheap ${offer}`, `buy cheap ${offer} online`, `best price ${offer}`, `discount ${offer} free shipping`];
  const line = () => `${many(14, () => random.pick(phrases)).join(chinese ? '，' : ', ')}${chinese ? '。' : '.'}`;
  return many(10, () => paragraph(line()));
}

/** A list word stands for each $. */
const ENGLISH_RANTS = [
  'You are a $ and a $, so get out of here.',
  'Nobody reads this $ but some $ like you.',
  'What a $, said the $ next door.',
  'Go away, $, and take that $ with you.',
  'Only a $ could write such $.',
];
const CHINESE_RANTS = [
  '你就是个$，滚出去，$。',
  '谁会看这种$写的$东西。',
  '一群$，$，赶紧走开。',
  '又是$，又是$，真受不了。',
  '这个$，比那个$还不如。',
];

/** The paragraphs of an ordinary page with abusive ones between them. */
export function toxic(article: Article, random: Random): Block[] {
  const chinese = article.language.startsWith('zh');
  const words = abusiveWords(chinese);
  const rant = () => random.pick(chinese ? CHINESE_RANTS : ENGLISH_RANTS).replaceAll('$', () => random.pick(words));
  return article.blocks.flatMap((b, i) => (i < 6 ? [b, paragraph(many(3, rant).join(chinese ? '' : ' '))] : [b]));
}

function abusiveWords(chinese: boolean): string[] {
  const lists = createRequire(import.meta.url)('naughty-words') as Record<string, string[]>;
  const list = lists[chinese ? 'zh' : 'en']!;
  return list.filter((w) => (chinese ? /^\p{Script=Han}{2,3}$/u.test(w) : /^[a-z]{4,12}$/.test(w))).toSorted();
}
