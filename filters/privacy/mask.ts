import { createHmac } from 'node:crypto';
import { applyEdits } from '../../core/text/edits.ts';
import { detect, type DetectOptions } from './detect.ts';
import { replacementFor } from './recipe.ts';
import type { PrivacyType } from './spans.ts';

export interface MaskEdit {
  start: number;
  end: number;
  replacement: string;
  /** The type of what was found. */
  rule: PrivacyType;
  /** HMAC-SHA-256 of the value, 64 hexadecimal digits; null without a key. */
  value_hash: string | null;
}

export interface MaskOptions {
  detect: DetectOptions;
  replacement: string;
  /** Without a key nothing of a value is kept: a plain hash of a phone number can be guessed. */
  key: string | null;
}

/** Finds personal data and replaces it. `text` is the input itself where nothing was found. */
export function mask(text: string, options: MaskOptions): { text: string; edits: MaskEdit[] } {
  const edits = detect(text, options.detect).map(({ start, end, type }): MaskEdit => {
    const hash = options.key === null ? null : hashOf(options.key, type, text.slice(start, end));
    return { start, end, replacement: replacementFor(type, options.replacement), rule: type, value_hash: hash };
  });
  return { text: edits.length === 0 ? text : applyEdits(text, edits), edits };
}

/** Equal values, however they are spaced and cased, have equal hashes within their type. */
function hashOf(key: string, type: PrivacyType, value: string): string {
  const plain = value.normalize('NFKC').toLowerCase();
  const canonical = type === 'EMAIL_ADDRESS' || type === 'IP_ADDRESS' ? plain : plain.replace(/[^0-9a-z]/g, '');
  return createHmac('sha256', key).update(`${type}\u0000${canonical}`).digest('hex');
}

/** Stands for a key in a stage's parameters, so that another key gives other output; the key cannot be read from it. */
export const keyDigest = (key: string | null): string | null =>
  key === null ? null : createHmac('sha256', key).update('garner: which key').digest('hex').slice(0, 16);

/** GARNER_KEY, or null where it is not set or empty. */
export const keyFromEnvironment = (): string | null => process.env['GARNER_KEY'] || null;
