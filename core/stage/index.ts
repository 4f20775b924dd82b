export { defineStage, filesIn, only } from './stage.ts';
export type { AnyStage, Counts, Inputs, Stage, Task, TaskContext, Unit } from './stage.ts';
export type { Output, OutputFile } from './marker.ts';
export { plan, run } from './runner.ts';
export type { RunOptions, StageReport } from './runner.ts';
export { inProcess, localExecutor } from './executor.ts';
export type { Executor } from './executor.ts';
