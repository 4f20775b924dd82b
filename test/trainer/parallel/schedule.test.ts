import { describe, expect, test } from 'vitest';
import {
  checkSchedule,
  inFlight,
  MAILBOX_DEPTH,
  SCHEDULES,
  workOf,
  type Schedule,
  type ScheduleShape,
  type Work,
} from '../../../trainer/parallel/schedule.ts';
import { inFlight as planned } from '../../../trainer/plan/mesh.ts';
import { simulatePipeline, simulateWork } from '../../../trainer/plan/simulate/pipeline.ts';

/** A schedule in short: F0 B0, with halves I and W, and the chunk behind a dot where there are several. */
const short = (work: Work[], chunks = 1) =>
  work
    .map(({ kind, micro, chunk }) => {
      const letter = { forward: 'F', backward: 'B', input: 'I', weight: 'W' }[kind];
      return `${letter}${micro}${chunks > 1 ? `.${chunk}` : ''}`;
    })
    .join(' ');

const stagesOf = ({ stages }: ScheduleShape) => Array.from({ length: stages }, (_, stage) => stage);

/** Times 1 of a forward, an input and a weight gradient; 2 of a whole backward. */
const unit = (_: number, { kind }: Work) => (kind === 'backward' ? 2 : 1);

/** Every shape with p ≤ 8, m ≤ 16, v ≤ 4 that a schedule takes. */
function shapesOf(schedule: Schedule): ScheduleShape[] {
  const shapes: ScheduleShape[] = [];
  for (let stages = 1; stages <= 8; stages++)
    for (let micro = 1; micro <= 16; micro++)
      for (let chunks = 1; chunks <= (schedule === 'interleaved' ? 4 : 1); chunks++)
        if (schedule !== 'interleaved' || micro % stages === 0) shapes.push({ stages, micro, chunks });
  return shapes;
}

test.each<{ schedule: Schedule; shape: ScheduleShape; stage: number; order: string }>([
  { schedule: 'gpipe', shape: { stages: 4, micro: 3, chunks: 1 }, stage: 1, order: 'F0 F1 F2 B0 B1 B2' },
  { schedule: '1f1b', shape: { stages: 3, micro: 4, chunks: 1 }, stage: 0, order: 'F0 F1 F2 B0 F3 B1 B2 B3' },
  { schedule: '1f1b', shape: { stages: 3, micro: 4, chunks: 1 }, stage: 2, order: 'F0 B0 F1 B1 F2 B2 F3 B3' },
  { schedule: '1f1b', shape: { stages: 8, micro: 2, chunks: 1 }, stage: 0, order: 'F0 F1 B0 B1' },
  {
    schedule: 'zb-h1',
    shape: { stages: 3, micro: 4, chunks: 1 },
    stage: 0,
    order: 'F0 F1 F2 I0 W0 F3 I1 W1 I2 W2 I3 W3',
  },
  {
    schedule: 'zb-h1',
    shape: { stages: 3, micro: 4, chunks: 1 },
    stage: 2,
    order: 'F0 I0 F1 I1 F2 I2 W0 F3 I3 W1 W2 W3',
  },
  {
    schedule: 'interleaved',
    shape: { stages: 2, micro: 4, chunks: 2 },
    stage: 1,
    order: 'F0.0 F1.0 F0.1 B0.1 F1.1 B1.1 F2.0 B0.0 F3.0 B1.0 F2.1 B2.1 F3.1 B3.1 B2.0 B3.0',
  },
])('$schedule on stage $stage of $shape.stages', ({ schedule, shape, stage, order }) => {
  expect(short(workOf(schedule, shape, stage), shape.chunks)).toBe(order);
});

describe('with unit times', () => {
  test.each<{ schedule: Schedule; makespan: (shape: ScheduleShape) => number; peak: Peak }>([
    {
      schedule: 'gpipe',
      makespan: ({ stages: p, micro: m }) => 3 * m + 3 * (p - 1),
      peak: ({ micro: m }) => m,
    },
    {
      schedule: '1f1b',
      makespan: ({ stages: p, micro: m }) => 3 * m + 3 * (p - 1),
      peak: ({ stages: p, micro: m }, i) => Math.min(m, p - i),
    },
    {
      schedule: 'interleaved',
      makespan: ({ stages: p, micro: m, chunks: v }) => 3 * m * v + 3 * (p - 1),
      peak: ({ stages: p, micro: m, chunks: v }, i) => Math.min(m * v, 2 * (p - i - 1) + (v - 1) * p + 1),
    },
    {
      schedule: 'zb-h1',
      // Less than p micro-batches leave stages that nothing fills: the forward of the last and the way back.
      makespan: ({ stages: p, micro: m }) => Math.max(3 * m + p - 1, 2 * m + 2 * p - 1),
      peak: ({ stages: p, micro: m }) => Math.min(m, p),
    },
  ])('$schedule has the makespan and the memory of the papers', ({ schedule, makespan, peak }) => {
    for (const shape of shapesOf(schedule)) {
      const name = JSON.stringify(shape);
      const run = simulatePipeline(schedule, shape, { time: unit });
      expect(run.stuck, name).toEqual([]);
      expect(run.makespan, name).toBe(makespan(shape));
      for (const stage of stagesOf(shape)) {
        expect(run.busy[stage], name).toBe(3 * shape.micro * shape.chunks);
        expect(inFlight(schedule, shape, stage), `${name} stage ${stage}`).toBe(peak(shape, stage));
      }
    }
  });

  test.each<{ schedule: Schedule; p: number; m: number; v: number; makespan: number }>([
    { schedule: 'interleaved', p: 4, m: 8, v: 2, makespan: 57 },
    { schedule: 'interleaved', p: 4, m: 8, v: 4, makespan: 105 },
    { schedule: 'interleaved', p: 8, m: 16, v: 2, makespan: 117 },
    { schedule: 'zb-h1', p: 4, m: 8, v: 1, makespan: 27 },
    { schedule: 'zb-h1', p: 8, m: 24, v: 1, makespan: 79 },
  ])('$schedule of $m micro-batches on $p stages ends at $makespan', ({ schedule, p, m, v, makespan }) => {
    expect(simulatePipeline(schedule, { stages: p, micro: m, chunks: v }, { time: unit }).makespan).toBe(makespan);
  });

  test('interleaved holds no more than all micro-batches: 4 of 4, not 5.5', () => {
    expect(inFlight('interleaved', { stages: 4, micro: 4, chunks: 2 }, 0) / 2).toBe(4);
    expect(inFlight('interleaved', { stages: 4, micro: 8, chunks: 2 }, 0) / 2).toBe(5.5);
  });
});

test('the planner counts the same memory by formula', () => {
  for (const schedule of ['1f1b', 'interleaved'] as const)
    for (const shape of shapesOf(schedule).filter(({ chunks }) => schedule === '1f1b' || chunks > 1))
      for (const stage of stagesOf(shape))
        expect(inFlight(schedule, shape, stage) / shape.chunks, JSON.stringify(shape)).toBe(
          planned(stage, shape.stages, shape.micro, shape.chunks),
        );
});

type Peak = (shape: ScheduleShape, stage: number) => number;

describe('mailboxes', () => {
  test.each(SCHEDULES)('%s: nobody waits in a circle, and messages are read as they were sent', (schedule) => {
    for (const shape of shapesOf(schedule)) {
      const run = simulatePipeline(schedule, shape, { time: unit, depth: MAILBOX_DEPTH });
      expect(run.stuck, JSON.stringify(shape)).toEqual([]);
      expect(run.early, JSON.stringify(shape)).toBe(0);
    }
  });

  test('one mailbox is too few for interleaving on two stages, and it says who waits', () => {
    const run = simulatePipeline('interleaved', { stages: 2, micro: 4, chunks: 2 }, { time: unit, depth: 1 });
    expect(run.stuck).toEqual([
      expect.stringMatching(/^stage 0 waits until stage 1 reads, after (forward|backward) of micro-batch \d/),
      expect.stringMatching(/^stage 1 waits until stage 0 reads, after (forward|backward) of micro-batch \d/),
    ]);
  });

  test('what comes before it is needed is kept, and counted', () => {
    const shape = { stages: 2, micro: 2, chunks: 1 };
    const [first, last] = stagesOf(shape).map((stage) => workOf('gpipe', shape, stage));
    const [f0, f1, ...backwards] = last!;
    const swapped = simulateWork([first!, [f1!, f0!, ...backwards]], shape, { time: unit });
    expect(swapped).toMatchObject({ stuck: [], early: 1, makespan: 10 });
  });

  test('a backward before the forward that it waits for is a deadlock', () => {
    const shape = { stages: 2, micro: 2, chunks: 1 };
    const [first, last] = stagesOf(shape).map((stage) => workOf('1f1b', shape, stage));
    const backwards = first!.toSorted((a, b) => Number(a.kind === 'forward') - Number(b.kind === 'forward'));
    expect(simulateWork([backwards, last!], shape, { time: unit }).stuck).toEqual([
      'stage 0 waits for stage 1 before backward of micro-batch 0, chunk 0',
      'stage 1 waits for stage 0 before forward of micro-batch 0, chunk 0',
    ]);
  });
});

test('a slow link shows: each message takes it in turn', () => {
  const shape = { stages: 2, micro: 3, chunks: 1 };
  const run = simulatePipeline('gpipe', shape, { time: unit, transfer: () => 5, latency: () => 1 });
  // The first activation arrives at 1 + 5 + 1, then one each 5; then three gradients go back.
  expect(Array.from(run.pieces[1]!)).toEqual([8, 13, 18, 20, 22, 24]);
  expect(run.ends[0]).toBe(20 + 15 + 1 + 2);
});

test.each<{ schedule: Schedule; shape: ScheduleShape; message: string }>([
  {
    schedule: 'interleaved',
    shape: { stages: 4, micro: 10, chunks: 2 },
    message: 'interleaved needs micro-batches = rounds × stages, but 10 ≠ 2.5 × 4',
  },
  { schedule: '1f1b', shape: { stages: 4, micro: 8, chunks: 2 }, message: '1f1b has one chunk of layers' },
  { schedule: 'gpipe', shape: { stages: 0, micro: 8, chunks: 1 }, message: '0 stages' },
  { schedule: 'zb-h1', shape: { stages: 2, micro: 1.5, chunks: 1 }, message: '1.5 micro-batches' },
])('$schedule refuses $shape', ({ schedule, shape, message }) => {
  expect(() => checkSchedule(schedule, shape)).toThrow(message);
});
