import { GarnerError, nearest } from '../../core/errors.ts';
import { ALL, type DetectOptions } from '../../filters/privacy/detect.ts';
import { isRegion } from '../../filters/privacy/phone.ts';
import { mask } from '../../filters/privacy/mask.ts';
import { defineCommand } from '../command.ts';
import { pipe } from '../pipe.ts';

const KINDS = ['emails', 'phones', 'cards', 'ids', 'ibans', 'addresses'] as const;

export default defineCommand({
  name: 'mask',
  summary: 'find and mask personal data in JSON lines: {id, text} to {id, text, spans}',
  arguments: [{ name: '[file]', about: 'JSON lines (.gz too); - or nothing reads standard input' }],
  options: [
    { flag: '--only <kinds>', about: `what to mask, of ${KINDS.join(',')} (default: all)` },
    {
      flag: '--regions <codes>',
      about: 'countries whose national phone numbers count',
      default: ALL.phones!.join(','),
    },
    {
      flag: '--replacement <text>',
      about: 'stands in place of a value; TYPE becomes EMAIL, PHONE …',
      default: '<TYPE>',
    },
  ],
  examples: [
    'garner mask pages.jsonl > masked.jsonl',
    `echo '{"id":"1","text":"Write to zhang@example.com"}' | garner mask --only emails`,
  ],
  run([file], options, terminal) {
    const detectors = detectorsOf(options['only'] as string | undefined, options['regions'] as string);
    const replacement = options['replacement'] as string;
    return pipe(file, terminal, ({ id, text }) => {
      if (typeof text !== 'string') return { id, error: 'no_text' };
      const masked = mask(text, { detect: detectors, replacement, key: null });
      return { id, text: masked.text, spans: masked.edits.map(({ start, end, rule }) => ({ start, end, type: rule })) };
    });
  },
});

function detectorsOf(only: string | undefined, regions: string): DetectOptions {
  const kinds = only === undefined ? [...KINDS] : list(only);
  for (const kind of kinds) {
    if ((KINDS as readonly string[]).includes(kind)) continue;
    const guess = nearest(kind, KINDS);
    throw new GarnerError({
      what: `nothing to mask is called "${kind}"`,
      where: '--only',
      hint: `${guess ? `did you mean "${guess}"? ` : ''}(all: ${KINDS.join(', ')})`,
      fault: 2,
    });
  }
  const has = (kind: (typeof KINDS)[number]) => kinds.includes(kind);
  const codes = list(regions).map((code) => {
    if (isRegion(code)) return code;
    throw new GarnerError({
      what: `"${code}" is no country code`,
      where: '--regions',
      hint: 'write codes of ISO 3166 with commas, for example US,GB,CN',
      fault: 2,
    });
  });
  return {
    emails: has('emails'),
    phones: has('phones') ? codes : null,
    cards: has('cards'),
    ids: has('ids'),
    ibans: has('ibans'),
    addresses: has('addresses'),
  };
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((t) => t.trim())
    .filter((t) => t !== '');
