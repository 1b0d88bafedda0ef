import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { basename } from 'node:path';
import { Log, LogLevel, Miniflare } from 'miniflare';
import type { WorkerBundle } from './worker-bundle.ts';

export interface WorkerRuntimeOptions {
  bundle: WorkerBundle;
  /** Text bindings: settings and secrets. */
  vars: Record<string, string>;
  port: number;
  /** Folder of the Durable Objects' storage. */
  storageDir: string;
  onLog: (line: string) => void;
  /** Called for each workerd that is started: also when a dead one is replaced. */
  onRuntimeStarted: (pid: number) => void;
}

const HOST = '127.0.0.1';

/** The Worker in workerd on 127.0.0.1, its Durable Objects on disk. A workerd that dies is replaced at once. */
export class WorkerRuntime {
  readonly #options: WorkerRuntimeOptions;
  #miniflare: Miniflare | undefined;

  constructor(options: WorkerRuntimeOptions) {
    this.#options = options;
  }

  /** @throws {Error} when the port is taken or the Worker does not start. */
  async start(): Promise<void> {
    if (this.#miniflare !== undefined) return;
    // Miniflare keeps its child to itself; without its pid nobody could end it after this process was killed.
    subscribe('child_process', this.#onChild);
    // The local runtime would ask the internet what `request.cf` looks like.
    process.env['CLOUDFLARE_CF_FETCH_ENABLED'] = 'false';
    const { bundle, vars, port, storageDir, onLog } = this.#options;
    const objects = Object.entries(bundle.objects);
    const miniflare = new Miniflare({
      host: HOST,
      port,
      cf: false,
      resourcePersistencePath: storageDir,
      enableDevRegistry: false,
      telemetry: { enabled: false },
      logRequests: false,
      log: new Log(LogLevel.ERROR),
      handleStructuredLogs: ({ message }) => onLog(message),
      workers: [
        {
          config: {
            name: bundle.name,
            compatibilityDate: bundle.compatibilityDate,
            compatibilityFlags: bundle.compatibilityFlags,
            manifest: {
              mainModule: 'entry.js',
              modules: { 'entry.js': { type: 'esm', contents: bundle.code } },
            },
            env: {
              ...Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, { type: 'text', value }])),
              ...Object.fromEntries(
                objects.map(([name, exportName]) => [
                  name,
                  { type: 'durable-object', worker: bundle.name, exportName },
                ]),
              ),
            },
            exports: Object.fromEntries(
              objects.map(([, className]) => [className, { type: 'durable-object', storage: 'sqlite' }]),
            ),
          },
        },
      ],
    });
    this.#miniflare = miniflare;
    try {
      await miniflare.ready;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    unsubscribe('child_process', this.#onChild);
    const miniflare = this.#miniflare;
    this.#miniflare = undefined;
    await miniflare?.dispose();
  }

  /** Calls the Worker's `scheduled` handler once, as a cron trigger does. */
  async runScheduled(cron: string): Promise<void> {
    if (this.#miniflare === undefined) throw new Error('Cannot run the scheduled handler: the Worker is not started');
    const worker = await this.#miniflare.getWorker();
    const { outcome } = await worker.scheduled({ cron, scheduledTime: new Date() });
    if (outcome !== 'ok') throw new Error(`The scheduled handler of the Worker failed: ${outcome}`);
  }

  readonly #onChild = (message: unknown): void => {
    const child = (message as { process: ChildProcess }).process;
    // The message comes before the child is started.
    child.once('spawn', () => {
      if (child.pid !== undefined && basename(child.spawnfile).startsWith('workerd')) {
        this.#options.onRuntimeStarted(child.pid);
      }
    });
  };
}
