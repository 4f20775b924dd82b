import { existsSync } from 'node:fs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The system's Chromium (`GARNER_CHROMIUM`, else the usual places), or null. `GARNER_CHROMIUM=none` pretends there is none. */
export function findBrowser(): string | null {
  const named = process.env['GARNER_CHROMIUM'];
  if (named === 'none') return null;
  if (named) return existsSync(named) ? named : null;
  return PLACES.find((path) => existsSync(path)) ?? null;
}
