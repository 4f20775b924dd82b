import { readFileSync } from 'node:fs';
import { sha256 } from '../../core/hash.ts';
import { asset, dependencyVersion } from '../../core/root.ts';
import { MODEL_FILE } from './model.ts';

/** Raised when the same page would give another text. */
const EXTRACTOR_VERSION = 1;

/** Everything that decides what `extract` makes of a page: part of the keys of the stages that call it. */
export const extractorIdentity = (): Record<string, unknown> => ({
  version: EXTRACTOR_VERSION,
  model: sha256(readFileSync(asset(MODEL_FILE))).slice(0, 16),
  parse5: dependencyVersion('parse5'),
  jschardet: dependencyVersion('jschardet'),
  sniffer: dependencyVersion('encoding-sniffer'),
});
