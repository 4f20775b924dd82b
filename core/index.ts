// The door of core: what a program that works with garner's files needs.
export { GarnerError, nearest } from './errors.ts';
export { documentId, keyOf, sha256, stableJson } from './hash.ts';
export { currentOutputs, existingLake, openLake, recipeManifests } from './lake/lake.ts';
export { readTable, writeTable } from './lake/parquet.ts';
export { parseRecipe, readRecipe } from './recipe/read.ts';
export { defineStage, inProcess, localExecutor, plan, run } from './stage/index.ts';
export type { AnyStage, Counts, Executor, Output, Stage, Task, TaskContext } from './stage/index.ts';
export * as records from './records/index.ts';
