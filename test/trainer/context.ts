import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Inputs, TaskContext } from '../../core/stage/index.ts';

export interface TestContext extends TaskContext {
  kept: string[];
  saidFacts: Record<string, unknown>;
  notices: string[];
}

/** A task's context over a folder, without the runner: files are written where they belong at once. */
export function testContext(lake: string, inputs: Inputs = {}): TestContext {
  const place = (path: string) => {
    mkdirSync(path, { recursive: true });
    return path;
  };
  const context: TestContext = {
    lake,
    pending: ['pretrain'],
    inputs,
    kept: [],
    saidFacts: {},
    notices: [],
    key: () => 'testkey',
    file: (folder, file) => join(place(join(lake, folder, 'testkey')), file),
    folder: (folder) => place(join(lake, folder, 'testkey')),
    keep: (folder, file) => void context.kept.push(`${folder}/${file}`),
    get scratch() {
      return place(join(lake, 'scratch'));
    },
    progress() {},
    notice: (text) => void context.notices.push(text),
    facts: (facts) => void Object.assign(context.saidFacts, facts),
  };
  return context;
}
