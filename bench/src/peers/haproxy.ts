import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import type { Peer, Target } from '../subject.ts';
import { freePort } from '@tunnox/testing/free-port';
import { listening } from './listening.ts';

const HOST = '127.0.0.1';

interface Ports {
  bytes: number;
  tcpHttp: number;
  http: number;
}

/** HAProxy with one thread, in TCP mode and in HTTP mode. */
export const haproxyPeer: Peer = {
  name: 'haproxy',
  start: async ({ target, group }) => {
    const version = await versionOf('haproxy', ['-v']);
    if (version === null) return { kind: 'missing', reason: 'haproxy is not installed' };
    const ports: Ports = { bytes: await freePort(), tcpHttp: await freePort(), http: await freePort() };
    const home = await group.tempDir();
    const config = join(home, 'haproxy.cfg');
    await writeFile(config, configText(ports, target));
    const haproxy = group.start('haproxy', ['-db', '-f', config]);
    await listening(ports.http, haproxy);
    const processes = { proxy: [haproxy.pid] };
    const endpoint = (port: number) => ({ host: HOST, port });
    return {
      kind: 'ready',
      version,
      subjects: [
        {
          name: 'haproxy tcp',
          layer: 'tcp',
          bytes: endpoint(ports.bytes),
          http: endpoint(ports.tcpHttp),
          processes,
        },
        { name: 'haproxy http', layer: 'http', http: endpoint(ports.http), processes },
      ],
    };
  },
};

function configText(ports: Ports, target: Target): string {
  return `global
  nbthread 1
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bytes
  mode tcp
  bind ${HOST}:${ports.bytes} backlog 4096
  server target ${target.bytes.host}:${target.bytes.port}
listen tcp-http
  mode tcp
  bind ${HOST}:${ports.tcpHttp} backlog 4096
  server target ${target.http.host}:${target.http.port}
listen http
  mode http
  bind ${HOST}:${ports.http} backlog 4096
  http-reuse always
  server target ${target.http.host}:${target.http.port}
`;
}
