import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { asset } from '../../core/root.ts';
import { randomFrom, type Random } from '../sample-site/random.ts';
import { allRequests, type Request } from './requests.ts';
import { dealtPairs, nearMiss, question, sentence, type Language, type Pair } from './sums.ts';

type Turn = { role: 'user' | 'assistant'; content: string };

/** A line of a file of JSON lines. */
export type Line = Record<string, unknown>;

/** What the ladder of examples/align.yaml learns from, by the name of its file: made from a seed, the same each time. */
export type AlignFiles = Record<'sums' | 'conversations' | 'preferences' | 'prompts' | 'test', Line[]>;

/** How much is made of what [lines]. */
const SIZES = {
  documents: 10_000,
  sums: 3000,
  preferences: 5000,
  styles: 1200,
  prompts: 4000,
  test: 500,
};

/** Sums of a document of the pretraining. */
const LINES = 12;

/** Of the requests, those that no training sees [share]. */
const HELD_REQUESTS = 0.2;

/** Longer conversations of people than this would not fit a row of the small model [UTF-8 bytes]. */
const LONGEST = 260;

/** Of what is made here. */
const OURS = 'Apache-2.0';

/** Conversations that people wrote, and their licences; the README beside them says more. */
const INSTRUCT = {
  'self-instruct-seed': 'Apache-2.0',
  'self-instruct-user': 'Apache-2.0',
  'belle-seed-chinese': 'ODC-By-1.0',
};

const user = (content: string): Turn[] => [{ role: 'user', content }];
const answer = (content: string): Turn => ({ role: 'assistant', content });
const language = (i: number): Language => (i % 2 === 0 ? 'en' : 'zh');

/** Everything that is made, from a seed. */
export function makeAlignFiles(seed: number): AlignFiles {
  const pairs = dealtPairs(seed);
  const requests = randomFrom(seed, 'requests').shuffle(allRequests());
  const held = Math.round(requests.length * HELD_REQUESTS);
  return {
    sums: documents(pairs.train, randomFrom(seed, 'documents')),
    conversations: conversations(pairs.train, requests.slice(held), randomFrom(seed, 'conversations')),
    preferences: preferences(pairs.train, requests.slice(held), randomFrom(seed, 'preferences')),
    prompts: prompts(pairs.train.slice(0, SIZES.prompts), 'prompt'),
    test: [
      ...prompts(pairs.test.slice(0, SIZES.test), 'test'),
      ...requests.slice(0, held).map((r, i) => ({ id: `request-${i}`, prompt: user(r.text) })),
    ],
  };
}

/** Plain text: lines of sums, one language a document; some stand after their question, so that numbers are copied before they are added. */
const documents = (pairs: readonly Pair[], random: Random): Line[] =>
  Array.from({ length: SIZES.documents }, (_, i) => ({
    id: `sums-${i}`,
    language: language(i),
    licence: OURS,
    text: Array.from({ length: LINES }, () => {
      const pair = random.pick(pairs);
      const said = sentence(pair, language(i));
      return random.next() < 0.5 ? `${question(pair, language(i))} ${said}` : said;
    }).join('\n'),
  }));

/** Sums with a sentence or a bare number for an answer, in equal parts; polite refusals; what people wrote, where it is short. */
function conversations(pairs: readonly Pair[], requests: readonly Request[], random: Random): Line[] {
  const sums = Array.from({ length: SIZES.sums }, (_, i) => {
    const pair = random.pick(pairs);
    const full = random.next() < 0.5;
    const said = full ? sentence(pair, language(i)) : `${pair[0] + pair[1]}`;
    return {
      id: `sum-${i}`,
      source: 'sums',
      licence: OURS,
      messages: [...user(question(pair, language(i))), answer(said)],
    };
  });
  const refusals = requests.map((r, i) => ({
    id: `refusal-${i}`,
    source: 'refusals',
    licence: OURS,
    // Half of them are rude: what is preferred is learned later.
    messages: [...user(r.text), answer(i % 2 === 0 ? r.polite : r.rude)],
  }));
  return random.shuffle<Line>([...sums, ...refusals, ...written()]);
}

function written(): Line[] {
  return Object.entries(INSTRUCT).flatMap(([name, licence]) =>
    gunzipSync(readFileSync(asset(`examples/align/instruct/${name}.jsonl.gz`)))
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { id: string; messages: Turn[] })
      .filter((c) => c.messages.reduce((n, m) => n + Buffer.byteLength(m.content), 0) <= LONGEST)
      .map(({ id, messages }) => ({ id, source: name, licence, messages })),
  );
}

/** The right result against one that nearly is, a sentence against a bare number, a polite refusal against a rude word. */
function preferences(pairs: readonly Pair[], requests: readonly Request[], random: Random): Line[] {
  const sums = Array.from({ length: SIZES.preferences }, (_, i) => {
    const pair = random.pick(pairs);
    const lang = language(i);
    return {
      id: `sum-${i}`,
      source: 'sums',
      licence: OURS,
      prompt: user(question(pair, lang)),
      chosen: sentence(pair, lang),
      rejected: sentence(pair, lang, nearMiss(pair, random)),
    };
  });
  const styles = Array.from({ length: SIZES.styles }, (_, i) => {
    const pair = random.pick(pairs);
    const lang = language(i);
    return {
      id: `style-${i}`,
      source: 'styles',
      licence: OURS,
      prompt: user(question(pair, lang)),
      chosen: sentence(pair, lang),
      rejected: `${pair[0] + pair[1]}`,
    };
  });
  const refusals = requests.map((r, i) => ({
    id: `refusal-${i}`,
    source: 'refusals',
    licence: OURS,
    prompt: user(r.text),
    chosen: r.polite,
    rejected: r.rude,
  }));
  return random.shuffle<Line>([...sums, ...styles, ...refusals]);
}

/** Questions with the right result, languages in turn. */
const prompts = (pairs: readonly Pair[], name: string): Line[] =>
  pairs.map((pair, i) => ({
    id: `${name}-${i}`,
    prompt: user(question(pair, language(i))),
    answer: String(pair[0] + pair[1]),
  }));
