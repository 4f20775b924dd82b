/** Every op's folder. A new op: its folder, a line here, and one for each of its kernels in engines/cpu/kernels.h. */
export const OP_FOLDERS = [
  'embedding',
  'linear',
  'linear-packed',
  'rmsnorm',
  'rope',
  'attention',
  'swiglu',
  'add',
  'scale',
  'cross-entropy',
  'score',
  'gradient-norm',
  'adamw',
  'draw',
] as const;
