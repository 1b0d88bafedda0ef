import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { DevelopmentCa } from '@tunnox/certificates/development-ca';
import { findProgram } from './needs.ts';
import { freePortBlock } from './port-block.ts';

export interface PebbleOptions {
  /** Name server that it asks, on 127.0.0.1. */
  dnsPort: number;
  /** Port at which it looks for answers by http-01. */
  httpPort: number;
  /** Calls in a hundred that it refuses for their nonce; absent: 5. */
  nonceRejects?: number;
  /** Authorizations in a hundred that it takes from earlier orders; absent: none, so that all has to be proved. */
  authorizationReuse?: number;
}

export interface PebbleFixture {
  /** `https://127.0.0.1:port/dir`, with a certificate of `caFile`. */
  directoryUrl: string;
  /** Who trusts the directory's own certificate; Miniflare takes it from NODE_EXTRA_CA_CERTS when it is imported. */
  caFile: string;
  /** Root of the certificates that it issues, in PEM: another one after each start. */
  root: () => Promise<string>;
  /** Ends it: all that it knows is lost. */
  pause: () => Promise<void>;
  /** Starts it anew at the same address, without accounts and orders. */
  resume: () => Promise<void>;
  stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 25;
const STARTS_MAX = 3;

/** Starts a real ACME server that validates for real. Ask `needs('pebble')` before. */
export async function startPebble(options: PebbleOptions): Promise<PebbleFixture> {
  const program = findProgram('pebble');
  if (program === null) throw new Error('Cannot start Pebble: it is not installed');
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-pebble-'));
  const ca = await DevelopmentCa.loadOrCreate(dir);
  const [certFile, keyFile] = [join(dir, 'server.pem'), join(dir, 'server-key.pem')];
  await ca.ensureServerCertificate({ certFile, keyFile }, ['127.0.0.1', 'localhost']);
  const { caFile, certificatePem } = ca;
  let child: ChildProcess | undefined;
  let ports: [number, number] = [0, 0];
  const kill = () => void child?.kill('SIGKILL');
  process.once('exit', kill);

  const end = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    ending.kill('SIGKILL');
    await once(ending, 'exit');
  };
  const start = async (): Promise<void> => {
    if (child !== undefined) return;
    const [port, managementPort] = ports;
    const configuration = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      ...{ certificate: certFile, privateKey: keyFile },
      ...{ httpPort: options.httpPort, tlsPort: 1, ocspResponderURL: '', externalAccountBindingRequired: false },
    };
    const configFile = join(dir, 'pebble.json');
    await writeFile(configFile, JSON.stringify({ pebble: configuration }));
    const args = ['-config', configFile, '-dnsserver', `127.0.0.1:${options.dnsPort}`, '-strict', 'false'];
    const starting = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: String(options.nonceRejects ?? 5),
        PEBBLE_AUTHZREUSE: String(options.authorizationReuse ?? 0),
      },
    });
    child = starting;
    const said: string[] = [];
    for (const output of [starting.stdout, starting.stderr]) {
      output.setEncoding('utf8').on('data', (part: string) => {
        said.push(part);
        if (said.length > 50) said.shift();
      });
    }
    const giveUpAt = performance.now() + START_TIMEOUT_MS;
    while ((await get(`https://127.0.0.1:${managementPort}/roots/0`, certificatePem)) === null) {
      if (starting.exitCode !== null || performance.now() > giveUpAt) {
        await end();
        throw new Error(`Cannot start Pebble:\n${said.join('').slice(-2000)}`);
      }
      await delay(POLL_MS);
    }
  };
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    await end();
    await rm(dir, { recursive: true, force: true });
  };
  for (let tries = 1; ; tries += 1) {
    const first = await freePortBlock(2);
    ports = [first, first + 1];
    try {
      await start();
      break;
    } catch (error) {
      // Somebody may have taken a port meanwhile.
      if (tries < STARTS_MAX) continue;
      await stop();
      throw error;
    }
  }
  return {
    directoryUrl: `https://127.0.0.1:${ports[0]}/dir`,
    caFile,
    async root() {
      const pem = await get(`https://127.0.0.1:${ports[1]}/roots/0`, certificatePem);
      if (pem === null) throw new Error('Cannot read the root of Pebble: it does not answer');
      return pem;
    },
    pause: end,
    resume: start,
    stop,
  };
}

/** null: nobody answers. */
async function get(url: string, ca: string): Promise<string | null> {
  const call = request(url, { ca, agent: false });
  call.end();
  try {
    const [answer] = (await once(call, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
    const body = await text(answer);
    return answer.statusCode === 200 ? body : null;
  } catch {
    return null;
  }
}
