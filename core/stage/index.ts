export { defineStage, filesIn, only } from './stage.ts';
export type { AnyStage, Counts, Inputs, Stage, Task, TaskContext } from './stage.ts';
export type { Output } from './marker.ts';
export { plan, run } from './runner.ts';
export type { StageReport } from './runner.ts';
export { HandedOver, inProcess, localExecutor } from './executor.ts';
export type { Batch, Executor } from './executor.ts';
