// One process of the platform: the Worker and the gateways, with the options of a file. Also run alone, to bring back a
// control plane that was stopped: `node packages/devstack/src/control-plane-main.ts $TUNNOX_HOME/control-plane.json`.
import { readFile } from 'node:fs/promises';
import { createLogger } from '@tunnox/observability/logger';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';

/** A line on standard output that is meant for the starter. */
export type ControlPlaneEvent = { event: 'workerd'; pid: number } | { event: 'ready'; api_url: string };

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

async function main(optionsFile: string): Promise<void> {
  const options = JSON.parse(await readFile(optionsFile, 'utf8')) as ControlPlaneOptions;
  const log = createLogger({ name: 'control-plane', level: 'info' });
  const controlPlane = new ControlPlane(
    {
      log,
      // The Worker writes JSON lines of its own.
      onWorkerLog: (line) => process.stdout.write(`${line}\n`),
      onRuntimeStarted: (pid) => tell({ event: 'workerd', pid }),
    },
    options,
  );
  try {
    await controlPlane.start();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
  // Miniflare's own listeners would end the process before everything is stopped.
  for (const signal of SIGNALS) {
    process.removeAllListeners(signal);
    process.once(signal, () => void controlPlane.stop().finally(() => process.exit(0)));
  }
  tell({ event: 'ready', api_url: controlPlane.apiUrl });
}

function tell(event: ControlPlaneEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

const [, , optionsFile] = process.argv;
if (optionsFile === undefined) {
  process.stderr.write('Name the file with the options: control-plane.json of a TUNNOX_HOME\n');
  process.exit(2);
}
await main(optionsFile);
