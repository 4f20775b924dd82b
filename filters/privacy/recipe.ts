import { z } from 'zod';
import { ALL, type DetectOptions } from './detect.ts';
import { isRegion } from './phone.ts';
import type { PrivacyType } from './spans.ts';

const regions = z
  .array(z.string().refine(isRegion, 'not a country code of ISO 3166 that has phone numbers'))
  .describe('countries whose national forms of phone numbers count (ISO 3166); numbers with a plus always count');

/** The section `mask`: personal data that is replaced before anything later sees the text. */
export const maskSection = z.strictObject({
  emails: z.boolean().default(true).describe('mask e-mail addresses'),
  phones: z
    .union([z.boolean(), z.strictObject({ regions: regions.default(['US', 'GB', 'CN']) })])
    .default(true)
    .describe('mask phone numbers; or { regions: [US, GB, CN, …] }'),
  cards: z.boolean().default(true).describe('mask payment card numbers (brand, length and Luhn sum hold)'),
  ids: z.boolean().default(true).describe('mask Chinese resident identity numbers and US social security numbers'),
  ibans: z.boolean().default(true).describe('mask bank account numbers (IBAN)'),
  addresses: z.boolean().default(true).describe('mask global IP addresses'),
  replacement: z
    .string()
    .max(64)
    .default('<TYPE>')
    .describe('what stands in place of a value; TYPE becomes EMAIL, PHONE, CARD, ID, SSN, IBAN or IP'),
});
export type MaskRecipe = z.output<typeof maskSection>;

/** What the section asks the detectors for. */
export function detectOptions(mask: MaskRecipe): DetectOptions {
  const { emails, cards, ids, ibans, addresses } = mask;
  const wanted = mask.phones === true ? ALL.phones! : mask.phones === false ? null : mask.phones.regions;
  return { emails, phones: wanted && wanted.filter(isRegion), cards, ids, ibans, addresses };
}

const SHORT: Record<PrivacyType, string> = {
  EMAIL_ADDRESS: 'EMAIL',
  PHONE_NUMBER: 'PHONE',
  CN_MOBILE: 'PHONE',
  CREDIT_CARD: 'CARD',
  CN_ID: 'ID',
  US_SSN: 'SSN',
  IBAN_CODE: 'IBAN',
  IP_ADDRESS: 'IP',
};

/** What stands in place of a value: `<EMAIL>`. */
export const replacementFor = (type: PrivacyType, template: string): string => template.replaceAll('TYPE', SHORT[type]);
