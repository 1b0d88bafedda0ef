import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import type { Peer, Target } from '../subject.ts';
import { freePort } from '@tunnox/testing/free-port';
import { listening } from './listening.ts';

const HOST = '127.0.0.1';

/** Tunnels of others, each started from a binary that an environment variable names. */
export function binaryPeers(env: NodeJS.ProcessEnv): Peer[] {
  return TUNNELS.map((tunnel) => ({
    name: tunnel.name,
    start: async ({ target, group }) => {
      const path = env[tunnel.variable];
      if (path === undefined) return { kind: 'missing', reason: `${tunnel.variable} does not name ${tunnel.wants}` };
      const home = await group.tempDir();
      const ports: Ports = { control: await freePort(), bytes: await freePort(), http: await freePort() };
      const commands = await tunnel.prepare({ path, home, ports, target });
      const version = await versionOf(commands.server[0], ['--version']);
      if (version === null) return { kind: 'missing', reason: `${commands.server[0]} cannot be started` };
      const server = group.start(commands.server[0], commands.server[1]);
      await listening(commands.controlPort ?? ports.control, server);
      const clients = commands.clients.map(([command, args]) => group.start(command, args));
      for (const port of [ports.bytes, ports.http]) await listening(port, server);
      return {
        kind: 'ready',
        version,
        subjects: [
          {
            name: tunnel.name,
            layer: 'tcp',
            bytes: { host: HOST, port: ports.bytes },
            http: { host: HOST, port: ports.http },
            processes: { relay: [server.pid], agent: clients.map((client) => client.pid) },
          },
        ],
      };
    },
  }));
}

interface Ports {
  control: number;
  bytes: number;
  http: number;
}

interface Setting {
  path: string;
  home: string;
  ports: Ports;
  target: Target;
}

type Command = readonly [command: string, args: readonly string[]];

interface Commands {
  server: Command;
  clients: readonly Command[];
  /** Where the server listens for clients if that cannot be chosen. */
  controlPort?: number;
}

interface Tunnel {
  name: string;
  variable: string;
  wants: string;
  prepare(setting: Setting): Promise<Commands>;
}

const TUNNELS: readonly Tunnel[] = [
  { name: 'rathole', variable: 'BENCH_RATHOLE', wants: 'its binary', prepare: prepareRathole },
  { name: 'bore', variable: 'BENCH_BORE', wants: 'its binary', prepare: async (setting) => prepareBore(setting) },
  { name: 'chisel', variable: 'BENCH_CHISEL', wants: 'its binary', prepare: async (setting) => prepareChisel(setting) },
  { name: 'frp', variable: 'BENCH_FRP', wants: 'the folder of frps and frpc', prepare: prepareFrp },
];

async function prepareRathole({ path, home, ports, target }: Setting): Promise<Commands> {
  const config = join(home, 'rathole.toml');
  await writeFile(
    config,
    `[server]
bind_addr = "${HOST}:${ports.control}"
default_token = "bench"
[server.services.bytes]
bind_addr = "${HOST}:${ports.bytes}"
[server.services.http]
bind_addr = "${HOST}:${ports.http}"
[client]
remote_addr = "${HOST}:${ports.control}"
default_token = "bench"
[client.services.bytes]
local_addr = "${target.bytes.host}:${target.bytes.port}"
[client.services.http]
local_addr = "${target.http.host}:${target.http.port}"
`,
  );
  return { server: [path, ['--server', config]], clients: [[path, ['--client', config]]] };
}

/** Its control port is fixed. */
const BORE_CONTROL_PORT = 7835;

function prepareBore({ path, ports, target }: Setting): Commands {
  const client = (port: number, remote: number): Command => [
    path,
    ['local', String(port), '--local-host', HOST, '--to', HOST, '--port', String(remote)],
  ];
  return {
    server: [path, ['server', '--bind-addr', HOST, '--min-port', '1024']],
    clients: [client(target.bytes.port, ports.bytes), client(target.http.port, ports.http)],
    controlPort: BORE_CONTROL_PORT,
  };
}

function prepareChisel({ path, ports, target }: Setting): Commands {
  const control = String(ports.control);
  const remote = (port: number, local: Target['bytes']) => `R:${HOST}:${port}:${local.host}:${local.port}`;
  return {
    server: [path, ['server', '--host', HOST, '--port', control, '--reverse']],
    clients: [
      [
        path,
        ['client', `http://${HOST}:${control}`, remote(ports.bytes, target.bytes), remote(ports.http, target.http)],
      ],
    ],
  };
}

async function prepareFrp({ path, home, ports, target }: Setting): Promise<Commands> {
  const [serverConfig, clientConfig] = [join(home, 'frps.toml'), join(home, 'frpc.toml')];
  await writeFile(serverConfig, `bindAddr = "${HOST}"\nbindPort = ${ports.control}\n`);
  const proxy = (name: string, local: Target['bytes'], remote: number) => `
[[proxies]]
name = "${name}"
type = "tcp"
localIP = "${local.host}"
localPort = ${local.port}
remotePort = ${remote}
`;
  await writeFile(
    clientConfig,
    `serverAddr = "${HOST}"
serverPort = ${ports.control}
${proxy('bytes', target.bytes, ports.bytes)}${proxy('http', target.http, ports.http)}`,
  );
  return {
    server: [join(path, 'frps'), ['-c', serverConfig]],
    clients: [[join(path, 'frpc'), ['-c', clientConfig]]],
  };
}
