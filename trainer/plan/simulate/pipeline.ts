import { modelChunk, workOf, type Schedule, type ScheduleShape, type Work } from '../../parallel/schedule.ts';

/** What a pipeline is simulated with; times in any one unit. */
export interface PipelineTiming {
  /** How long a stage works on a piece that it begins at `start`. */
  time(stage: number, work: Work, start: number): number;
  /** How long the link from a stage to another is taken by one message; messages over a link follow each other. Absent: nothing. */
  transfer?(from: number, to: number): number;
  /** How long a message travels after it left the link. Absent: nothing. */
  latency?(from: number, to: number): number;
  /** A send waits while so many messages from this stage to that one are unread. Absent: it never waits. */
  depth?: number;
}

export interface PipelineRun {
  /** When the last stage ends. */
  makespan: number;
  /** When each stage ends, and how long it worked until then. */
  ends: Float64Array;
  busy: Float64Array;
  /** When each piece of a stage's work ended, in its order. */
  pieces: Float64Array[];
  /** Messages that a stage had to read before it needed them, to get at one behind: 0 for every schedule here. */
  early: number;
  /** Who waits for what, when nobody can go on: a deadlock. Empty after a whole run. */
  stuck: string[];
}

/**
 * Runs a schedule event by event. A stage takes its work in order; before a piece it reads what the piece needs, in the
 * order in which the other stage sent, after it it sends. As nobody chooses by the clock, the outcome does not depend on
 * the times: a deadlock is one for all times.
 */
export function simulatePipeline(schedule: Schedule, shape: ScheduleShape, timing: PipelineTiming): PipelineRun {
  const works = Array.from({ length: shape.stages }, (_, stage) => workOf(schedule, shape, stage));
  return simulateWork(works, shape, timing);
}

/** The same for any lists of work, one a stage. */
export function simulateWork(works: readonly Work[][], shape: ScheduleShape, timing: PipelineTiming): PipelineRun {
  const links = new Map<number, Link>();
  const linkOf = (from: number, to: number) => {
    const key = from * shape.stages + to;
    let link = links.get(key);
    if (!link) links.set(key, (link = { arrivals: [], messages: [], reads: [], free: 0 }));
    return link;
  };
  const stages = works.map((work, stage): Stage => ({
    stage,
    work,
    next: 0,
    sent: true,
    clock: 0,
    busy: 0,
    have: new Set(),
    pieces: new Float64Array(work.length),
  }));
  const simulation: Simulation = { shape, timing, linkOf, early: 0 };
  // Whoever can go on does; a round in which nobody could is the end, or a deadlock.
  for (let moved = true; moved;) {
    moved = false;
    for (const stage of stages) while (advance(stage, simulation)) moved = true;
  }
  const ends = Float64Array.from(stages, ({ clock }) => clock);
  return {
    makespan: Math.max(...ends),
    ends,
    busy: Float64Array.from(stages, ({ busy }) => busy),
    pieces: stages.map(({ pieces }) => pieces),
    early: simulation.early,
    stuck: stages.filter(({ work, next }) => next < work.length).map((stage) => describeWait(stage, shape)),
  };
}

/** What lies between two stages in one direction. */
interface Link {
  /** Of each message sent so far: the piece that needs it, and when it is there. */
  messages: number[];
  arrivals: number[];
  /** When each was read, as far as they were. */
  reads: number[];
  /** When the link takes the next. */
  free: number;
}

interface Stage {
  stage: number;
  work: readonly Work[];
  /** The piece that is next; with `sent` false it is done, and its message waits for a free mailbox. */
  next: number;
  sent: boolean;
  clock: number;
  busy: number;
  /** Messages that came early. */
  have: Set<number>;
  pieces: Float64Array;
}

interface Simulation {
  shape: ScheduleShape;
  timing: PipelineTiming;
  linkOf: (from: number, to: number) => Link;
  early: number;
}

/** Does the next thing of a stage: a piece of work, or the send that waited. False: it must wait, or is at its end. */
function advance(stage: Stage, simulation: Simulation): boolean {
  const work = stage.work[stage.next];
  if (!work) return false;
  if (!stage.sent) return deliver(stage, work, simulation);
  if (!collect(stage, work, simulation)) return false;
  const time = simulation.timing.time(stage.stage, work, stage.clock);
  stage.clock += time;
  stage.busy += time;
  stage.pieces[stage.next] = stage.clock;
  stage.sent = false;
  deliver(stage, work, simulation);
  return true;
}

/** Reads until the message that a piece needs is there. */
function collect(stage: Stage, work: Work, simulation: Simulation): boolean {
  const { shape, linkOf } = simulation;
  const from = sourceOf(stage.stage, work, shape);
  if (from === undefined) return true;
  const wanted = message(work, modelChunk(shape, stage.stage, work.chunk), shape);
  if (stage.have.delete(wanted)) return true;
  const link = linkOf(from, stage.stage);
  while (link.reads.length < link.messages.length) {
    const at = link.reads.length;
    stage.clock = Math.max(stage.clock, link.arrivals[at]!);
    link.reads.push(stage.clock);
    if (link.messages[at] === wanted) return true;
    stage.have.add(link.messages[at]!);
    simulation.early++;
  }
  return false;
}

/** Sends what a piece has made, where another stage needs it. */
function deliver(stage: Stage, work: Work, { shape, timing, linkOf }: Simulation): boolean {
  const to = targetOf(stage.stage, work, shape);
  if (to !== undefined) {
    const link = linkOf(stage.stage, to);
    const full = link.messages.length - (timing.depth ?? Infinity);
    if (full >= link.reads.length) return false;
    if (full >= 0) stage.clock = Math.max(stage.clock, link.reads[full]!);
    const chunk = modelChunk(shape, stage.stage, work.chunk) + (work.kind === 'forward' ? 1 : -1);
    link.free = Math.max(link.free, stage.clock) + (timing.transfer?.(stage.stage, to) ?? 0);
    link.messages.push(message(work, chunk, shape));
    link.arrivals.push(link.free + (timing.latency?.(stage.stage, to) ?? 0));
  }
  stage.sent = true;
  stage.next++;
  return true;
}

/** Names the message that lets a chunk of the model work on a micro-batch. */
const message = ({ kind, micro }: Work, chunk: number, shape: ScheduleShape): number =>
  ((kind === 'forward' ? 0 : 1) * shape.stages * shape.chunks + chunk) * shape.micro + micro;

/** The other stage that a piece needs something from, if one. */
function sourceOf(stage: number, work: Work, shape: ScheduleShape): number | undefined {
  const first = modelChunk(shape, stage, work.chunk) === 0;
  const last = modelChunk(shape, stage, work.chunk) === shape.stages * shape.chunks - 1;
  if (shape.stages === 1 || work.kind === 'weight') return undefined;
  if (work.kind === 'forward') return first ? undefined : (stage + shape.stages - 1) % shape.stages;
  return last ? undefined : (stage + 1) % shape.stages;
}

/** The other stage that needs what a piece makes, if one. */
function targetOf(stage: number, work: Work, shape: ScheduleShape): number | undefined {
  const first = modelChunk(shape, stage, work.chunk) === 0;
  const last = modelChunk(shape, stage, work.chunk) === shape.stages * shape.chunks - 1;
  if (shape.stages === 1 || work.kind === 'weight') return undefined;
  if (work.kind === 'forward') return last ? undefined : (stage + 1) % shape.stages;
  return first ? undefined : (stage + shape.stages - 1) % shape.stages;
}

function describeWait({ stage, work, next, sent }: Stage, shape: ScheduleShape): string {
  const { kind, micro, chunk } = work[next]!;
  const piece = `${kind} of micro-batch ${micro}, chunk ${chunk}`;
  return sent
    ? `stage ${stage} waits for stage ${sourceOf(stage, work[next]!, shape)} before ${piece}`
    : `stage ${stage} waits until stage ${targetOf(stage, work[next]!, shape)} reads, after ${piece}`;
}
