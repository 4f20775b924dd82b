import type { Command } from '../command.ts';

/** Every command, in the order of the arrow; loaded only when it is asked for, since some of them import heavy libraries. */
export const COMMANDS: Record<string, { summary: string; load: () => Promise<{ default: Command }> }> = {};
