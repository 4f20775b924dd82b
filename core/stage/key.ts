import { dependencyVersion } from '../root.ts';
import { keyOf } from '../hash.ts';
import { FORMAT } from '../lake/layout.ts';
import type { AnyStage, Inputs, Unit } from './stage.ts';

/** What changes the bytes of every stage: the lake's format, the Parquet writer, the Unicode tables of this Node. */
const environment = () => ({
  format: FORMAT,
  duckdb: dependencyVersion('@duckdb/node-api'),
  unicode: process.versions['unicode'],
});

/** The identities of everything a stage reads, in a fixed order. */
export const inputIdentities = (stage: AnyStage, inputs: Inputs) =>
  stage.inputs.flatMap((name) =>
    (inputs[name] ?? []).map((o) => ({ stage: o.stage, unit: o.unit, identity: o.identity })),
  );

/** The units of a stage; a stage without any is its own. */
export const unitsOf = (stage: AnyStage, params: unknown): readonly Unit[] =>
  stage.units?.(params) ?? [{ name: stage.name, version: stage.version, params }];

/** Names an output: the hash of what it depends on, and of nothing else. */
export const unitKey = (stage: AnyStage, unit: Unit, inputs: Inputs): string =>
  keyOf({
    stage: stage.name,
    unit: unit.name,
    version: [stage.version, unit.version],
    params: unit.params,
    inputs: inputIdentities(stage, inputs),
    environment: environment(),
  });
