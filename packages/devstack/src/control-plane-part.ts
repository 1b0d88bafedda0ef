import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFile } from '@tunnox/certificates/key-files';
import { Child } from './child.ts';
import { childEnvironment } from './child-environment.ts';
import type { ControlPlaneOptions } from './control-plane.ts';
import type { ControlPlaneEvent } from './control-plane-main.ts';
import type { Running } from './keeper.ts';
import { LogFile } from './log-file.ts';

export interface ControlPlanePartOptions {
  home: string;
  controlPlane: ControlPlaneOptions;
  onRuntimeStarted: (pid: number) => void;
}

const MAIN = fileURLToPath(new URL('control-plane-main.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5000;

/** Starts the control plane in a process of its own, so that it can end and come back apart from the relays. */
export async function startControlPlane(options: ControlPlanePartOptions): Promise<Running> {
  const { home } = options;
  const optionsFile = join(home, 'control-plane.json');
  await replaceFile(optionsFile, `${JSON.stringify(options.controlPlane, null, 2)}\n`, 0o600);
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const child = await Child.start({
    name: 'The control plane',
    args: [MAIN, optionsFile],
    log: new LogFile(join(home, 'logs', 'control-plane.log')),
    env: childEnvironment(process.env, {}),
    onLine: (line) => {
      const event = parseEvent(line);
      if (event?.event === 'workerd') options.onRuntimeStarted(event.pid);
      if (event?.event === 'ready') resolve();
    },
  });
  try {
    await child.waitUntil(ready, START_TIMEOUT_MS);
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
  return { pid: child.pid, exited: child.exited, stop: () => child.stop(STOP_GRACE_MS) };
}

function parseEvent(line: string): ControlPlaneEvent | null {
  try {
    const value = JSON.parse(line) as Partial<ControlPlaneEvent>;
    return value.event === undefined ? null : (value as ControlPlaneEvent);
  } catch {
    return null;
  }
}
