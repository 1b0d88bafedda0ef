import type { Binding } from '@tunnox/domain/binding';
import { systemClock } from '@tunnox/relay/clock';
import { HttpListener } from '@tunnox/relay/listener/http-listener';
import { HttpProxy } from '@tunnox/relay/proxy/http-proxy';
import type { Upstream } from '@tunnox/relay/upstream/upstream';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { processStats } from './src/process-stats.ts';
import { ratios, summarize } from './src/stats.ts';

/**
 * What the relay's HTTP part costs alone: the proxy with an upstream that dials the target directly, against nginx as
 * reverse proxy, under wrk, interleaved. The tunnel is not in it.
 *
 *   node bench/http-proxy.ts [--target node|nginx] [--rounds 5] [--seconds 4] [--connections 48]
 */
const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'nginx' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '48' },
    role: { type: 'string' },
    to: { type: 'string' },
  },
});

const HOST = '127.0.0.1';
const BODY = 'x'.repeat(615);
/** The same work as the relay's: the visitor's Host is kept, and the visitor is named to the target. */
const proxyLocation = `location / {
  proxy_pass http://target;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header Via "1.1 nginx";
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header Forwarded "for=$remote_addr;host=$http_host;proto=$scheme";
}`;
const upstreamBlock = (port: number) =>
  `upstream target { server ${HOST}:${port}; keepalive 512; keepalive_requests 1000000000; }`;

if (values.role === 'target') serveTarget();
else if (values.role === 'relay') await serveRelay(Number(values.to));
else await compare();

async function compare(): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'http-proxy-'));
  const children: ChildProcess[] = [];
  try {
    const answers = `location / { return 200 "${BODY}"; }`;
    const target =
      values.target === 'node'
        ? await startRole(children, 'target')
        : await startNginx(children, home, 'target', answers);
    const subjects: Subject[] = [
      { ...target, name: 'direct', rates: [], cpuUs: [] },
      {
        ...(await startNginx(children, home, 'proxy', proxyLocation, upstreamBlock(target.port))),
        name: 'nginx',
        rates: [],
        cpuUs: [],
      },
      { ...(await startRole(children, 'relay', target.port)), name: 'relay', rates: [], cpuUs: [] },
    ];
    for (const { port } of subjects) await load(port, 2);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const subject of subjects) await measure(subject, Number(values.seconds));
    }
    for (const subject of subjects) report(subject, subjects[1] as Subject);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await rm(home, { recursive: true, force: true });
  }
}

interface Started {
  port: number;
  pid: number;
}

interface Subject extends Started {
  name: string;
  /** Requests a second, by round. */
  rates: number[];
  /** Microseconds of CPU for one request, by round: hardly touched by what else the machine does. */
  cpuUs: number[];
}

async function measure(subject: Subject, seconds: number): Promise<void> {
  const before = await processStats([subject.pid]);
  const { requests, rate } = await load(subject.port, seconds);
  const after = await processStats([subject.pid]);
  subject.rates.push(rate);
  subject.cpuUs.push(((after.cpuSeconds - before.cpuSeconds) * 1e6) / requests);
}

async function load(port: number, seconds: number): Promise<{ requests: number; rate: number }> {
  const args = ['-t1', `-c${values.connections}`, `-d${seconds}`, `http://${HOST}:${port}/`];
  const { stdout } = await promisify(execFile)('wrk', args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk saw errors:\n${stdout}`);
  return {
    requests: Number(/(\d+) requests in/.exec(stdout)?.[1]),
    rate: Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1]),
  };
}

function report({ name, rates, cpuUs }: Subject, nginx: Subject): void {
  const { median, min, max } = summarize(rates);
  const ratio = summarize(ratios(rates, nginx.rates)).median.toFixed(2);
  const cpu = summarize(cpuUs).median.toFixed(1);
  process.stdout.write(
    `${name.padEnd(8)} ${Math.round(median)} requests/s (${Math.round(min)}–${Math.round(max)}), ${ratio} × nginx, ${cpu} µs of CPU each\n`,
  );
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts this file in another role. */
async function startRole(children: ChildProcess[], role: string, to = 0): Promise<Started> {
  const args = [fileURLToPath(import.meta.url), '--role', role, '--to', String(to)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(line.toString()), pid: child.pid ?? 0 };
}

function serveTarget(): void {
  const server = createServer((_request, response) => response.end(BODY));
  server.listen(0, HOST, () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
}

async function serveRelay(targetPort: number): Promise<void> {
  const binding: Binding = {
    binding_id: 'domain:1',
    version: 1,
    endpoint: HOST,
    protocol: 'http',
    enabled: true,
    user_id: null,
    source_client_id: null,
    upstreams: [],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
  };
  const upstream: Upstream = {
    kind: 'local',
    key: 'target',
    closed: false,
    open: async () => {
      const stream = connect({ host: HOST, port: targetPort, noDelay: true, allowHalfOpen: true });
      await once(stream, 'connect');
      return { stream, meter: { bytesIn: 0, bytesOut: 0 } };
    },
  };
  const router = {
    decide: () => ({ kind: 'open' as const, binding, upstreams: [upstream] as [Upstream] }),
    forget: () => {},
  };
  const proxy = new HttpProxy(
    { router, clock: systemClock, trustedPeers: null },
    { connectionsMax: 1000, warningPages: false },
  );
  proxy.start();
  process.stdout.write(`${await new HttpListener(proxy, { host: HOST, port: 0 }).start()}\n`);
}

async function startNginx(
  children: ChildProcess[],
  home: string,
  name: string,
  location: string,
  upstream = '',
): Promise<Started> {
  const port = await freePort();
  const prefix = join(home, name);
  await mkdir(prefix);
  const config = join(prefix, 'nginx.conf');
  const text = `
daemon off;
master_process off;
pid ${prefix}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${prefix}/body;
  proxy_temp_path ${prefix}/proxy;
  fastcgi_temp_path ${prefix}/fastcgi;
  uwsgi_temp_path ${prefix}/uwsgi;
  scgi_temp_path ${prefix}/scgi;
  ${upstream}
  server {
    listen ${HOST}:${port};
    ${location}
  }
}
`;
  await writeFile(config, text);
  const child = spawn('nginx', ['-p', prefix, '-c', config, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
  return { port, pid: child.pid ?? 0 };
}
