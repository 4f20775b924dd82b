import type { Random } from './random.ts';
import type { Article, PersonalValue } from './types.ts';

// Numbers of ranges kept for fiction where such ranges exist (example.com, 555-01xx, Ofcom's drama numbers). The others are
// made up; should one belong to somebody, that is chance.

const digits = (random: Random, n: number): string => Array.from({ length: n }, () => random.int(10)).join('');

function luhnDigit(body: string): string {
  let sum = 0;
  for (const [i, c] of [...body].toReversed().entries()) {
    const d = Number(c);
    sum += i % 2 === 1 ? d : d < 5 ? 2 * d : 2 * d - 9;
  }
  return String((10 - (sum % 10)) % 10);
}

const spaced = (number: string, gap: string): string => number.replace(/(\d{4})(?=\d)/g, `$1${gap}`);

function card(random: Random, chinese: boolean): string {
  const prefixes = chinese ? ['622848', '621700', '625900'] : ['4242', '5105', '411111', '6011'];
  const prefix = random.pick(prefixes);
  const length = chinese && random.int(2) === 0 ? 19 : 16;
  const body = prefix + digits(random, length - prefix.length - 1);
  return spaced(body + luhnDigit(body), random.pick(['', ' ', chinese ? '' : '-']));
}

const AREAS = ['110101', '310104', '440305', '330106', '510107', '420106', '610113', '350203'];
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

function chineseId(random: Random): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const body = `${random.pick(AREAS)}${1950 + random.int(55)}${two(1 + random.int(12))}${two(1 + random.int(28))}${digits(random, 3)}`;
  const sum = WEIGHTS.reduce((s, w, i) => s + w * Number(body[i]), 0);
  return body + '10X98765432'[sum % 11];
}

function mobile(random: Random): string {
  const number = `1${random.pick(['38', '39', '50', '58', '86', '77', '99'])}${digits(random, 8)}`;
  const groups = `${number.slice(0, 3)} ${number.slice(3, 7)} ${number.slice(7)}`;
  return random.pick([number, number, groups, groups.replaceAll(' ', '-'), `+86 ${number}`]);
}

const usPhone = (random: Random): string => {
  const area = random.pick(['212', '415', '617', '312', '206']);
  const line = `555-01${digits(random, 2)}`;
  return random.pick([`(${area}) ${line}`, `${area}-${line}`, `+1 ${area} ${line.replace('-', ' ')}`]);
};

const ukPhone = (random: Random): string =>
  random.pick([
    `020 7946 0${digits(random, 3)}`,
    `0161 496 0${digits(random, 3)}`,
    `+44 20 7946 0${digits(random, 3)}`,
  ]);

function email(random: Random, chinese: boolean): string {
  const names = chinese
    ? ['zhang.wei', 'li_na', 'wangfang', 'liu.yang', 'chenjie']
    : ['anna.smith', 'j.doe', 'mary_jones', 'tom', 'r.brown'];
  const hosts = chinese
    ? ['example.cn', 'mail.example.com', 'example.com.cn']
    : ['example.com', 'example.org', 'mail.example.net'];
  return `${random.pick(names)}${digits(random, 3)}@${random.pick(hosts)}`;
}

interface Sentence {
  value: PersonalValue;
  text: string;
}

const ENGLISH: ((random: Random) => Sentence)[] = [
  (r) =>
    sentence('EMAIL_ADDRESS', email(r, false), [
      'Questions about this passage may be sent to $.',
      'The editor can be reached at $ on weekdays.',
    ]),
  (r) =>
    sentence('PHONE_NUMBER', usPhone(r), [
      'Readers in America may call $ for a printed copy.',
      'For the archive, phone $ before noon.',
    ]),
  (r) =>
    sentence('EMAIL_ADDRESS', email(r, false), [
      'Corrections were sent in by a reader, $, last year.',
      'Write to $ if a line is missing.',
    ]),
  (r) =>
    sentence('PHONE_NUMBER', ukPhone(r), [
      'The reading room in Britain answers on $.',
      'Please ring $ to borrow the volume.',
    ]),
  (r) =>
    sentence('CREDIT_CARD', card(r, false), [
      'The deposit was paid with card $ in advance.',
      'He gave his card number as $ and left.',
    ]),
];

const CHINESE: ((random: Random) => Sentence)[] = [
  (r) => sentence('EMAIL_ADDRESS', email(r, true), ['如发现错字，请写信给校对者$。', '读者来信请发至$，谢谢。']),
  (r) => sentence('CN_MOBILE', mobile(r), ['借阅此书请致电$联系管理员。', '编者手机：$，工作日可联系。']),
  (r) => sentence('CN_ID', chineseId(r), ['登记人身份证号$，已核对无误。', '借书人证件号码：$。']),
  (r) => sentence('CREDIT_CARD', card(r, true), ['押金已退回卡号$的账户。', '汇款请转到$，并注明书名。']),
];

const sentence = (type: PersonalValue['type'], value: string, forms: readonly string[]) => ({
  value: { type, value },
  text: forms[value.length % forms.length]!.replace('$', value),
});

/** Adds `count` sentences with personal data to the ends of paragraphs of an article, and notes the values in it. */
export function plantPersonal(article: Article, count: number, random: Random): void {
  const chinese = article.language.startsWith('zh');
  const makers = chinese ? CHINESE : ENGLISH;
  const first = random.int(makers.length);
  const places = article.blocks.filter((b) => b.tag === 'p');
  for (let i = 0; i < count; i++) {
    const { value, text } = makers[(first + i) % makers.length]!(random);
    const block = random.pick(places);
    block.text += chinese ? text : ` ${text}`;
    article.personal.push(value);
  }
}
