// `npm run relay`: one more relay for the platform that `npm start` runs, until Ctrl-C. Plain JavaScript for Node ≥ 20.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fail, NODE, prepare, ROOT } from './prepare.js';

const HOST = '127.0.0.1';
/** Ports of relay n begin at this distance from the base, see docs/ARCHITECTURE.md. */
const FIRST_RELAY = 10;
const PER_RELAY = 30;
const PUBLIC_FROM = 10;
const PUBLIC_TO = 29;
const RELAYS_MAX = 100;
const DRAIN_S = 5;
/** Variables that mean the same for every relay, from wherever it is started. */
const SHARED = ['TUNNOX_INSECURE_AGENTS', 'TUNNOX_LOG_LEVEL', 'TUNNOX_TRUSTED_PROXIES', 'TUNNOX_WARNING_PAGE'];
/** Only for the relay that is about to start. */
const JOIN_TOKEN_S = 600;

await prepare();
const home = resolve(process.cwd(), process.env.TUNNOX_HOME || '.tunnox');
const stack = readStack();
const portBase = Number(new URL(stack.api_url).port);
const { number, first } = await freeBlock(stack.relays.length + 1);
const stateDir = join(home, `relay-${number}`);
const logFile = join(home, 'logs', `relay-${number}.log`);
mkdirSync(join(home, 'logs'), { recursive: true });
const log = openSync(logFile, 'a', 0o600);

const relay = spawn(NODE, [join(ROOT, 'relay', 'src', 'main.ts')], {
  stdio: ['ignore', log, log, 'ipc'],
  // Ctrl-C reaches this script only; a relay whose parent is gone notices by the channel and ends.
  detached: process.platform !== 'win32',
  env: {
    ...inherited(),
    TUNNOX_API_URL: stack.api_url,
    // A relay that has been here before proves itself by its key.
    ...(existsSync(join(stateDir, 'node-key.pem')) ? {} : { TUNNOX_JOIN_TOKEN: await makeJoinToken() }),
    TUNNOX_STATE_DIR: stateDir,
    TUNNOX_BIND: HOST,
    TUNNOX_PUBLIC_ADDRESS: HOST,
    TUNNOX_AGENT_TCP_PORT: String(first),
    TUNNOX_AGENT_WS_PORT: String(first + 1),
    TUNNOX_HTTP_PORT: String(first + 2),
    TUNNOX_HTTPS_PORT: String(first + 3),
    TUNNOX_BRIDGE_PORT: String(first + 4),
    TUNNOX_METRICS_PORT: String(first + 5),
    TUNNOX_PUBLIC_PORTS: `${first + PUBLIC_FROM}-${first + PUBLIC_TO}`,
    TUNNOX_TLS_CERT_FILE: join(home, 'tls', 'server.pem'),
    TUNNOX_TLS_KEY_FILE: join(home, 'tls', 'server-key.pem'),
    TUNNOX_DRAIN_SECONDS: String(DRAIN_S),
  },
});
relay.on('error', (error) => fail(`The relay cannot start: ${error.message}`));
relay.on('message', (message) => {
  if (message?.type !== 'ready') return;
  process.stdout.write(
    `Relay ${number} is ${message.node_id}: HTTP http://${HOST}:${first + 2}, HTTPS ${first + 3}, agents ${HOST}:${first}, ` +
      `metrics http://${HOST}:${first + 5}/metrics\nIts log: ${logFile}\nCtrl-C stops it.\n`,
  );
});
relay.on('exit', (code, signal) => {
  if (code === 0) process.exit(0);
  fail(`The relay has ended (${signal ?? `exit code ${code}`}). Its last words:\n${lastLines(logFile, 5)}`);
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => relay.kill('SIGTERM'));

function readStack() {
  try {
    return JSON.parse(readFileSync(join(home, 'stack.json'), 'utf8'));
  } catch (error) {
    const hint = 'Start it with `npm start`; if it keeps its data elsewhere, set TUNNOX_HOME as you did there.';
    return fail(`No running platform was found in ${home}: ${error.message}\n${hint}`);
  }
}

/** The first block of ports from relay `from` on in which nobody listens. */
async function freeBlock(from) {
  for (let candidate = from; candidate <= RELAYS_MAX; candidate++) {
    const begin = portBase + FIRST_RELAY + PER_RELAY * (candidate - 1);
    if (begin + PUBLIC_TO > 65_535) break;
    const ports = Array.from({ length: PUBLIC_TO + 1 }, (_, index) => begin + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return { number: candidate, first: begin };
  }
  return fail(`No free block of ports is left for another relay above port ${portBase}.`);
}

function isFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen({ host: HOST, port }, () => server.close(() => done(true)));
  });
}

async function makeJoinToken() {
  try {
    const answer = await fetch(`${stack.api_url}/api/v1/join-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.operator_key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: `relay ${number}`, uses: 1, expires_in_s: JOIN_TOKEN_S }),
      signal: AbortSignal.timeout(10_000),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail ?? `status ${answer.status}`);
    return body.join_token;
  } catch (error) {
    return fail(`The API at ${stack.api_url} gave no join token: ${error.message}\nDoes \`npm start\` still run?`);
  }
}

/** The shell's environment without what belongs to other parts. */
function inherited() {
  const kept = (name) => SHARED.includes(name) || !/^(?:TUNNOX_|NODE_OPTIONS$|npm_)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept(name)));
}

function lastLines(path, count) {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}
