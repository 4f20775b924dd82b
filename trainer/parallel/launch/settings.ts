import { GarnerError } from '../../../core/errors.ts';

/** How ranks are started and how long they wait: nothing of it changes what is trained, so it stands in no recipe and no key. */
export interface LaunchSettings {
  /** How often garner starts the ranks again after one has died. */
  restarts: number;
  /** Collectives compare a header before each call. */
  check: boolean;
  /** Name or address of the interface at which rank 0 listens for ranks of other hosts. */
  interface: string | undefined;
  /** Port at which rank 0 listens; 0 for a free one. */
  port: number;
  /** Ranks × threads may exceed the cores. */
  oversubscribe: boolean;
  /** How long ranks wait for each other to come [s]. */
  arrival: number;
  /** How long a rank waits for the others inside a step [s]; a sample or a checkpoint on rank 0 is far shorter. */
  patience: number;
}

/** Variables, so that child processes and other launchers' ranks have them too. */
const NAMES: Record<keyof LaunchSettings, string> = {
  restarts: 'GARNER_RESTARTS',
  check: 'GARNER_CHECK',
  interface: 'GARNER_INTERFACE',
  port: 'GARNER_PORT',
  oversubscribe: 'GARNER_OVERSUBSCRIBE',
  arrival: 'GARNER_ARRIVAL',
  patience: 'GARNER_PATIENCE',
};

type Environment = Record<string, string | undefined>;

/** The settings of this process. Throws a GarnerError for a variable that is none. */
export function launchSettings(env: Readonly<Environment> = process.env): LaunchSettings {
  const number = (key: keyof LaunchSettings, otherwise: number, most: number): number => {
    const value = env[NAMES[key]];
    if (value === undefined || value === '') return otherwise;
    if (/^\d{1,9}(\.\d{1,3})?$/.test(value) && Number(value) <= most) return Number(value);
    throw new GarnerError({
      what: `${NAMES[key]} is "${value.slice(0, 40)}"`,
      where: 'environment',
      hint: `a number up to ${most} is expected`,
      fault: 2,
    });
  };
  const flag = (key: keyof LaunchSettings) => !['', '0', undefined].includes(env[NAMES[key]]);
  return {
    restarts: number('restarts', 0, 1000),
    check: flag('check'),
    interface: env[NAMES.interface] || undefined,
    port: number('port', 0, 65_535),
    oversubscribe: flag('oversubscribe'),
    arrival: number('arrival', 300, 86_400),
    patience: number('patience', 1800, 86_400),
  };
}

/** Sets what a person asked for, for this process and those it starts. */
export function setLaunch(
  settings: { [K in keyof LaunchSettings]?: LaunchSettings[K] | undefined },
  env: Environment = process.env,
): void {
  for (const [key, value] of Object.entries(settings))
    if (value !== undefined && value !== false)
      env[NAMES[key as keyof LaunchSettings]] = value === true ? '1' : String(value);
}
