// The door of the trainer: a model, its training step, its checkpoints, its words.
export { openModel, saveCheckpoint } from './checkpoint/checkpoint.ts';
export { openSafetensors, writeSafetensors } from './checkpoint/safetensors.ts';
export { configOfDepth } from './model/config.ts';
export { flopsPerToken, parametersOf } from './model/size.ts';
export { openSampler } from './sample/sampler.ts';
export { learningRateAt } from './schedule/learning-rate.ts';
export { openDecoder, openSession } from './session.ts';
export type { Decoder, ModelConfig, NamedTensor, SessionOptions, TrainingSession, UpdateOptions } from './session.ts';
