import { expect, test } from 'vitest';
import { ALL, detect } from '../../../filters/privacy/detect.ts';

/** `TYPE:value` of everything found. */
const found = (text: string, options = ALL) =>
  detect(text, options).map((s) => `${s.type}:${text.slice(s.start, s.end)}`);

test.each([
  {
    why: 'straight after Chinese',
    text: '请写信给张伟zhang.wei@example.com.cn，谢谢',
    is: ['EMAIL_ADDRESS:zhang.wei@example.com.cn'],
  },
  { why: 'before Chinese without a mark', text: '发到a_b@example.cn谢谢', is: ['EMAIL_ADDRESS:a_b@example.cn'] },
  { why: 'a full stop after it', text: 'Ask bob@example.com. Then', is: ['EMAIL_ADDRESS:bob@example.com'] },
  {
    why: 'in angle brackets, plus tag',
    text: '<o.k+tag@mail.example.org>',
    is: ['EMAIL_ADDRESS:o.k+tag@mail.example.org'],
  },
  { why: 'in a query string', text: '/x?email=bob@example.com&y=1', is: ['EMAIL_ADDRESS:bob@example.com'] },
  { why: 'full-width sign', text: 'bob＠example.com', is: ['EMAIL_ADDRESS:bob＠example.com'] },
  { why: 'umlaut in the domain', text: 'info@müller.de', is: ['EMAIL_ADDRESS:info@müller.de'] },
  { why: 'after an ellipsis', text: 'write to...bob@example.com', is: ['EMAIL_ADDRESS:bob@example.com'] },
  { why: 'two dots in a row', text: 'a..b@example.com', is: [] },
  { why: 'a file name', text: 'icon@2x.png', is: [] },
  { why: 'a handle and a price', text: '@example.com a@b 5@3.50', is: [] },
  { why: 'credentials in a URL', text: 'https://user:secret@host.example.com/', is: [] },
  { why: 'git over ssh', text: 'git@github.com:a/b.git', is: [] },
  {
    why: 'a digit string as name is no phone',
    text: '13800138000@example.com',
    is: ['EMAIL_ADDRESS:13800138000@example.com'],
  },
])('e-mail: $why', ({ text, is }) => expect(found(text)).toEqual(is));

test.each([
  { why: 'compact', text: '卡号4111111111111111。', is: ['CREDIT_CARD:4111111111111111'] },
  { why: 'blanks', text: 'card 4111 1111 1111 1111 123', is: ['CREDIT_CARD:4111 1111 1111 1111'] },
  { why: '4-6-5', text: '3782-822463-10005', is: ['CREDIT_CARD:3782-822463-10005'] },
  {
    why: 'full-width digits',
    text: '４１１１１１１１１１１１１１１１',
    is: ['CREDIT_CARD:４１１１１１１１１１１１１１１１'],
  },
  { why: 'UnionPay of 19', text: '6222021001122334458', is: ['CREDIT_CARD:6222021001122334458'] },
  { why: 'Luhn sum wrong', text: '4111111111111112', is: [] },
  { why: 'no brand', text: '1111111111111117', is: [] },
  { why: 'mixed separators', text: '4111 1111-1111 1111', is: [] },
  { why: 'a decimal', text: '0.4111111111111111', is: [] },
  { why: 'inside a table of numbers', text: '2584 4111 1111 1111 1111 9166', is: [] },
  { why: 'inside a word', text: 'id4111111111111111', is: [] },
])('card: $why', ({ text, is }) => expect(found(text)).toEqual(is));

test.each([
  { why: 'check digit', text: '身份证11010519491231002X，', is: ['CN_ID:11010519491231002X'] },
  { why: 'small x', text: '11010519491231002x', is: ['CN_ID:11010519491231002x'] },
  { why: 'groups', text: '110105 19491231 002X', is: ['CN_ID:110105 19491231 002X'] },
  { why: 'old form with label', text: '身份证号：110105491231002', is: ['CN_ID:110105491231002'] },
  { why: 'old form alone', text: '110105491231002', is: [] },
  { why: 'wrong check', text: '110105194912310021', is: [] },
  { why: 'no such province', text: '990105194912310025', is: [] },
  { why: '30 February', text: '11010519490230002X', is: [] },
  { why: '19 digits', text: '1101051949123100211', is: [] },
  { why: 'SSN', text: 'SSN 460-89-9847', is: ['US_SSN:460-89-9847'] },
  { why: 'SSN with blanks needs its label', text: 'social security 460 89 9847', is: ['US_SSN:460 89 9847'] },
  { why: 'no area 666', text: '666-89-9847', is: [] },
  { why: 'part of a longer number', text: '1-460-89-9847-2', is: [] },
])('identity: $why', ({ text, is }) => expect(found(text)).toEqual(is));

test.each([
  { why: 'global', text: 'Login from 160.17.50.12:8080', is: ['IP_ADDRESS:160.17.50.12'] },
  { why: 'after a server', text: 'The server 188.10.0.193 did', is: ['IP_ADDRESS:188.10.0.193'] },
  { why: 'private', text: '10.1.2.3 192.168.1.1 172.20.0.1 127.0.0.1 169.254.1.1 192.0.2.7', is: [] },
  { why: 'octet over 255', text: '160.17.50.300', is: [] },
  { why: 'leading zero', text: '160.017.50.30', is: [] },
  { why: 'five parts', text: '1.16.17.50.30', is: [] },
  { why: 'version', text: 'version 24.8.4.2, v1.2.3.4', is: [] },
  { why: 'a heading', text: 'text\n9.15.1.3. xmlelement', is: [] },
  { why: 'IPv6', text: 'from 2a00:1450:4001:82b::200e.', is: ['IP_ADDRESS:2a00:1450:4001:82b::200e'] },
  {
    why: 'IPv6 of eight groups',
    text: '6e40:4041:c617:e898:c11:40d2:c669:2eb4',
    is: ['IP_ADDRESS:6e40:4041:c617:e898:c11:40d2:c669:2eb4'],
  },
  { why: 'documentation, local, C++, time', text: '2001:db8::1 fe80::1 std::dead::beef 12:30:45 ::', is: [] },
  { why: 'IBAN compact', text: 'IBAN: GB29NWBK60161331926819.', is: ['IBAN_CODE:GB29NWBK60161331926819'] },
  {
    why: 'IBAN in groups',
    text: 'an DE89 3704 0044 0532 0130 00, danke',
    is: ['IBAN_CODE:DE89 3704 0044 0532 0130 00'],
  },
  { why: 'IBAN one longer', text: 'DE893704004405320130001', is: [] },
  { why: 'IBAN check', text: 'DE88370400440532013000', is: [] },
])('address: $why', ({ text, is }) => expect(found(text)).toEqual(is));

test.each([
  { why: 'Chinese mobile', text: '请致电13912345678咨询', is: ['CN_MOBILE:13912345678'] },
  { why: '3-4-4', text: '手机 139 1234 5678。', is: ['CN_MOBILE:139 1234 5678'] },
  { why: '+86', text: '（+86 13912345678）', is: ['CN_MOBILE:+86 13912345678'] },
  { why: '0086', text: '008613912345678', is: ['CN_MOBILE:008613912345678'] },
  {
    why: 'two parted by a slash',
    text: '13912345678/13812345678',
    is: ['CN_MOBILE:13912345678', 'CN_MOBILE:13812345678'],
  },
  { why: 'long dashes', text: '139—1234—5678', is: ['CN_MOBILE:139—1234—5678'] },
  { why: 'a letter as label', text: 'T: 01632 960 001', is: ['PHONE_NUMBER:01632 960 001'] },
  { why: '12 digits', text: '139123456781', is: [] },
  { why: 'counts after a word for phones', text: 'It reached 1 234 567 readers and called 20.000.000.', is: [] },
  { why: 'hours after a word for phones', text: 'Contact hours: Mon-Fri 9-12 13-17 18-20', is: [] },
  { why: 'a volume with its year', text: 'See the message in vol. 12 (2004) 345-367.', is: [] },
  { why: 'the shape of a count, named as a number', text: 'reach us at 78 651 450', is: ['PHONE_NUMBER:78 651 450'] },
  { why: 'pairs of digits', text: 'call 06 12 34 56 78', is: ['PHONE_NUMBER:06 12 34 56 78'] },
  { why: 'US', text: 'or (951) 704-3374.', is: ['PHONE_NUMBER:(951) 704-3374'] },
  { why: 'British', text: 'ring 020 7946 0018 now', is: ['PHONE_NUMBER:020 7946 0018'] },
  { why: 'Beijing', text: '座机：010-62345678转12', is: ['PHONE_NUMBER:010-62345678转12'] },
  { why: 'any country with plus', text: '+49 (0)40 890 85-433', is: ['PHONE_NUMBER:+49 (0)40 890 85-433'] },
  { why: 'any form with a label', text: 'Phone:\n467 3395', is: ['PHONE_NUMBER:467 3395'] },
  { why: 'extension', text: 'Fax: 463-612-6138x036', is: ['PHONE_NUMBER:463-612-6138x036'] },
  { why: 'a date beside a label', text: 'call on 2024-01-31 or 31.1.2024', is: [] },
  { why: 'years', text: 'the office of 1990-1999', is: [] },
  { why: 'an order number', text: 'order number 951 704 3374 5', is: [] },
  { why: 'a row of a table', text: '0 1931 - 11.2 - 60.0 1932', is: [] },
  { why: 'a decimal', text: '= 0.06079271', is: [] },
  { why: 'a number in a call', text: 'the call was semget(5440126, 17)', is: [] },
  { why: 'a plain big number', text: 'population 1234567890', is: [] },
])('phone: $why', ({ text, is }) => expect(found(text)).toEqual(is));

test('regions decide which national forms count', () => {
  expect(found('Ruf 030 901820 an', { ...ALL, phones: ['DE'] })).toEqual(['PHONE_NUMBER:030 901820']);
  expect(found('Ruf 030 901820 an', { ...ALL, phones: ['US'] })).toEqual([]);
  expect(found('call (951) 704-3374 and bob@example.com', { ...ALL, phones: null })).toEqual([
    'EMAIL_ADDRESS:bob@example.com',
  ]);
});

test('a value within a longer one is not reported again, and spans never overlap', () => {
  const text = 'GB29NWBK60161331926819 11010519491231002X 4111111111111111 a@b.com 160.17.50.12';
  const spans = detect(text);
  expect(spans.map((s) => s.type)).toEqual(['IBAN_CODE', 'CN_ID', 'CREDIT_CARD', 'EMAIL_ADDRESS', 'IP_ADDRESS']);
  for (const [i, s] of spans.entries()) expect(s.start).toBeGreaterThanOrEqual(spans[i - 1]?.end ?? 0);
});

test.each([
  ['@', 'a@'.repeat(250_000)],
  ['letters', 'a'.repeat(500_000)],
  ['dots and dashes', 'a-a.'.repeat(125_000)],
  ['digits', '1'.repeat(500_000)],
  ['groups', '12 34-56.'.repeat(60_000)],
  ['cards', '4111 1111 1111 1111 '.repeat(25_000)],
  ['phones', 'call 555-123-4567 '.repeat(4_000)],
  ['colons', 'ab:cd::'.repeat(70_000)],
  ['quotes', '"a@b'.repeat(120_000)],
  ['addresses that overlap', 'a@b.c'.repeat(100_000)],
  ['a chain of addresses', 'a@b.co'.repeat(80_000)],
  ['iban', 'GB29 NWBK '.repeat(50_000)],
  ['lone surrogates and bidi', '\ud800\u202e5\udc00@'.repeat(100_000)],
])('half a megabyte of %s takes linear time', (_, text) => {
  const start = performance.now();
  detect(text.slice(0, text.length / 2));
  const half = performance.now() - start;
  const again = performance.now();
  detect(text);
  const whole = performance.now() - again;
  // Quadratic time would be four times the half; small times are noise.
  expect(whole).toBeLessThan(Math.max(2_000, 3.2 * half));
});

test('any mixture of pieces gives spans in order that do not overlap', () => {
  const pieces = [
    '4111 1111 1111 1111',
    '11010519491231002X',
    'a@b.com',
    '@',
    '139',
    ' 1234',
    '-5678',
    '+86',
    '(',
    ')',
    '.',
    '8.8.8.8',
    '::',
    'GB29',
    'NWBK',
    ' 6016',
    '\ud800',
    '\u202e',
    '电话',
    'call ',
    '\n',
    '１２３',
    'x12',
    '00',
    '/',
    '"',
    '...',
  ];
  let state = 7;
  const random = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: 1 + random(14) }, () => pieces[random(pieces.length)]).join('');
    const spans = detect(text);
    for (const [i, s] of spans.entries()) {
      expect(s.start).toBeGreaterThanOrEqual(spans[i - 1]?.end ?? 0);
      expect(s.end).toBeGreaterThan(s.start);
      expect(s.end).toBeLessThanOrEqual(text.length);
    }
  }
});

test('twenty million digits, one after another, are nothing and cost little', () => {
  const start = performance.now();
  expect(detect('7'.repeat(20_000_000))).toEqual([]);
  expect(performance.now() - start).toBeLessThan(5_000);
});

test('a chain of a million overlapping addresses is settled', () => {
  const spans = detect('a@b.c'.repeat(400_000));
  expect(spans.length).toBeGreaterThan(100_000);
  for (const [i, s] of spans.entries()) if (i > 0 && s.start < spans[i - 1]!.end) throw new Error('spans overlap');
});
