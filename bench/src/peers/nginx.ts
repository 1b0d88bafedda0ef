import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { versionOf } from '../machine.ts';
import type { Peer, Subject, Target } from '../subject.ts';
import { freePort } from '@tunnox/testing/free-port';
import { listening } from './listening.ts';

const HOST = '127.0.0.1';
const STREAM_MODULES = [
  '/usr/lib/nginx/modules/ngx_stream_module.so',
  '/usr/lib64/nginx/modules/ngx_stream_module.so',
  '/usr/share/nginx/modules/ngx_stream_module.so',
];

interface Ports {
  bytes: number;
  tcpHttp: number;
  http: number;
}

/** nginx with one process, as a TCP proxy (stream module, when it is there) and as an HTTP reverse proxy. */
export const nginxPeer: Peer = {
  name: 'nginx',
  start: async ({ target, group }) => {
    const version = await versionOf('nginx', ['-v']);
    if (version === null) return { kind: 'missing', reason: 'nginx is not installed' };
    const ports: Ports = { bytes: await freePort(), tcpHttp: await freePort(), http: await freePort() };
    const stream = await streamSupport();
    const home = await group.tempDir();
    const config = join(home, 'nginx.conf');
    await writeFile(config, configText(home, ports, target, stream));
    const nginx = group.start('nginx', ['-p', home, '-c', config, '-e', 'stderr']);
    await listening(ports.http, nginx);
    const processes = { proxy: [nginx.pid] };
    const subjects: Subject[] = [
      { name: 'nginx http', layer: 'http', http: { host: HOST, port: ports.http }, processes },
    ];
    if (stream !== null) {
      const [bytes, http] = [
        { host: HOST, port: ports.bytes },
        { host: HOST, port: ports.tcpHttp },
      ];
      subjects.unshift({ name: 'nginx stream', layer: 'tcp', bytes, http, processes });
    }
    const note = stream === null ? ', without its stream module (Debian: libnginx-mod-stream)' : '';
    return { kind: 'ready', version: version + note, subjects };
  },
};

/** What loads the stream module: nothing if it is compiled in, null if there is none. */
async function streamSupport(): Promise<string | null> {
  for (const path of STREAM_MODULES) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return `load_module ${path};`;
  }
  return null;
}

function configText(home: string, ports: Ports, target: Target, stream: string | null): string {
  const bytes = `${target.bytes.host}:${target.bytes.port}`;
  const http = `${target.http.host}:${target.http.port}`;
  const streams = `
stream {
  server { listen ${HOST}:${ports.bytes} backlog=4096; proxy_pass ${bytes}; }
  server { listen ${HOST}:${ports.tcpHttp} backlog=4096; proxy_pass ${http}; }
}`;
  return `${stream ?? ''}
daemon off;
master_process off;
pid ${home}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${home}/body;
  proxy_temp_path ${home}/proxy;
  fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi;
  scgi_temp_path ${home}/scgi;
  upstream target { server ${http}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen ${HOST}:${ports.http} backlog=4096;
    location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
${stream === null ? '' : streams}
`;
}
