import { ensureBuilt } from '../bin/build.mjs';

/** Child processes run compiled JavaScript, so the tests compile first. */
export default function setup(): void {
  ensureBuilt();
}
