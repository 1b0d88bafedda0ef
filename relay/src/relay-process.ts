import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { ConfigError } from '@tunnox/config/config-error';
import { createLogger, type Logger } from '@tunnox/observability/logger';
import { AdminServer } from './admin/admin-server.ts';
import { parseRelayConfig, type RelayConfig } from './config.ts';
import { RegistrationRefused } from './control-plane/registration.ts';
import { CertificateError } from './listener/certificate-store.ts';
import { ListenError } from './listener/listen.ts';
import { type RelayEnd, RelayLife } from './relay-life.ts';
import { registerRelay } from './run.ts';
import { VERSION } from './version.ts';

/** How this process ends, for whoever starts it again. */
const EXIT = {
  /** Drained after a signal or by the control plane. */
  ok: 0,
  /** A fault of the program. */
  fault: 1,
  /** A variable, a file or a port cannot be used: starting again does not help. */
  unusable: 2,
  /** The control plane does not take this relay, or another process has taken its place. */
  refused: 3,
} as const;

const ENDS: Record<RelayEnd, string> = {
  drained: 'The relay has drained and ends',
  superseded: 'Another process has registered with the key in TUNNOX_STATE_DIR and is this node now: this one ends',
  aborted: 'The relay ends',
};

/** Said once in this time, however often it happens. */
const ACCEPT_WARNING_MS = 10_000;

const config = readConfig();
const log = createLogger({ name: 'relay', level: config.logLevel });
const life = new RelayLife({
  register: async (signal, orders) =>
    registerRelay({ config, apiCa: await readApiCa(config), version: VERSION, log }, signal, orders),
  log,
});
const admin = new AdminServer(() => ({ version: VERSION, phase: life.phase, counts: life.counts() }), {
  host: config.metricsBind,
  port: config.ports.metrics,
  hostNames: [config.publicAddress, ...(config.internalAddress === null ? [] : [config.internalAddress])],
});

let signals = 0;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    signals++;
    log.info({ signal }, signals === 1 ? 'Told to end' : 'Told to end at once');
    if (signals === 1) void life.drain(config.drainMs);
    else process.exit(EXIT.fault);
  });
}
// Started by a supervisor that is gone: nobody would ever end this process.
process.once('disconnect', () => void life.drain(config.drainMs));
process.on('uncaughtException', onUncaught());

// Timers do not keep this process alive, and before it is registered nothing else does.
const alive = setInterval(() => {}, 2 ** 30);
try {
  await admin.start();
  const relay = await life.start();
  if (relay !== null) {
    const { nodeId: node_id, incarnation } = relay;
    log.info({ node_id, incarnation, version: VERSION }, 'Online');
    process.send?.({ type: 'ready', node_id, incarnation, pid: process.pid });
  }
  const end = await life.ended;
  log[end === 'drained' ? 'info' : 'error'](ENDS[end]);
  leave(end === 'drained' ? EXIT.ok : EXIT.refused);
} catch (error) {
  fail(log, error);
}

function readConfig(): RelayConfig {
  try {
    return parseRelayConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\nrelay/README.md says what each variable is for.\n`);
    process.exit(EXIT.unusable);
  }
}

/** The file's authorities are trusted besides the usual ones. */
async function readApiCa({ apiCaFile }: RelayConfig): Promise<string[] | null> {
  return apiCaFile === null ? null : [...rootCertificates, await readFile(apiCaFile, 'utf8')];
}

function fail(logger: Logger, error: unknown): void {
  if (error instanceof RegistrationRefused) {
    logger.fatal(error.message);
    leave(EXIT.refused);
  } else if (error instanceof ListenError || error instanceof CertificateError || isFileError(error)) {
    logger.fatal(error.message);
    leave(EXIT.unusable);
  } else {
    logger.fatal({ err: error }, 'The relay has failed');
    leave(EXIT.fault);
  }
}

function leave(code: number): void {
  clearInterval(alive);
  admin.stop();
  process.exit(code);
}

/** A state directory that cannot be written, a file that is not there, a full disk: the message says which. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}

/**
 * Too many open files make `accept` fail, on whichever server: that is no reason to end what runs. Everything else
 * that nobody caught is.
 */
function onUncaught(): (error: NodeJS.ErrnoException) => void {
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (error.syscall !== 'accept') return fail(log, error);
    if (Date.now() - warnedAtMs < ACCEPT_WARNING_MS) return;
    warnedAtMs = Date.now();
    const advice = 'Raise the limit of open files (ulimit -n, LimitNOFILE=): a relay needs one for each connection.';
    log.error({ code: error.code }, `Cannot accept connections. ${advice}`);
  };
}
