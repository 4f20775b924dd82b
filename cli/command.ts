import type { GarnerError } from '../core/errors.ts';
import { plain } from '../core/progress.ts';

/** An argument or option of a command, one record each: parser, help and docs are made from it. */
export interface Flag {
  /** commander's syntax: `--lake <dir>`, `-n, --limit <n>`, `[--no-x]`. */
  flag: string;
  about: string;
  default?: string | number | boolean;
  /** Works, and is named in a guide, but not in the help. */
  hidden?: boolean;
  /** `previous`: what an earlier use of the same flag gave, for flags that may be repeated. */
  parse?: (value: string, previous?: unknown) => unknown;
}

export interface Positional {
  /** `<recipe>`, `[sql]`, `[files...]`. */
  name: string;
  about: string;
}

export type Options = Record<string, unknown>;

/** What a command speaks to: replaced in tests. */
export interface Terminal {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  stderr: NodeJS.WriteStream;
}

export interface Command {
  name: string;
  /** One line, shown in the list of commands. */
  summary: string;
  arguments?: readonly Positional[];
  options?: readonly Flag[];
  /** Lines of a terminal a person could type. */
  examples: readonly string[];
  /** Returns the exit code. */
  run(args: readonly string[], options: Options, terminal: Terminal): Promise<number>;
}

/** Checks the type of a command where it is written. */
export const defineCommand = (command: Command): Command => command;

/** For main(): how an error that a person must act on is shown. */
export const formatError = (error: GarnerError): string => `garner: ${plain(error.format())}`;

/** Ctrl-C was pressed: exit code 130. */
export class Interrupted extends Error {}

/** Another process has told the person already: only the exit code is left. */
export class Told extends Error {
  readonly code: number;
  constructor(code: number) {
    super('told by another process');
    this.code = code;
  }
}
