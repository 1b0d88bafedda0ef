import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { Certificate } from '@tunnox/domain/api/certificates';
import { type AgentProcess, startAgent } from '@tunnox/testing/agent';
import type { ControlPlaneFixture } from '@tunnox/testing/control-plane-fixture';
import { type DohFront, startDohFront } from '@tunnox/testing/doh-front';
import { needs } from '@tunnox/testing/needs';
import { type PebbleFixture, startPebble } from '@tunnox/testing/pebble';
import { freePortBlock } from '@tunnox/testing/port-block';
import { type PowerDnsFixture, startPowerDns } from '@tunnox/testing/powerdns';
import { waitFor } from '@tunnox/testing/wait-for';
import { Client } from 'pg';
import { planPorts, type RelayPorts } from '../src/port-plan.ts';
import { type RunningRelay, startRelay } from '../src/relay-part.ts';
import type { Stack } from '../src/stack-file.ts';
import { managedClient } from './support/managed-client.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { api, createTenant, type Tenant } from './support/tenant.ts';

const run = promisify(execFile);
const skip = needs('pdns_server', 'pebble', 'curl');
const BASE = 'tunnox.example';
const WAIT_MS = 60_000;

/** Names of settings that the control plane takes from its environment, as they were before. */
const SETTINGS = ['NODE_EXTRA_CA_CERTS', 'DNS_RESOLVER_URL', 'DNS_BEAT_MS', 'ACME_DIRECTORY_URL'];
const settingsBefore = SETTINGS.map((name) => [name, process.env[name]] as const);

describe('certificates from the name server to the visitor', { skip }, () => {
  let home: string;
  let dns: PowerDnsFixture;
  let doh: DohFront;
  let pebble: PebbleFixture;
  let controlPlane: ControlPlaneFixture;
  let stack: Stack;
  let ports: RelayPorts[];
  let joinToken: string;
  const relays: RunningRelay[] = [];
  let service: TargetService;
  let tenant: Tenant;
  let agent: AgentProcess;
  let clientId: number;
  let subdomain: string;

  const asOperator = <T>(method: string, path: string, body?: unknown): Promise<T> =>
    api<T>(stack, stack.operator_key, method, `/api/v1${path}`, body);
  const asTenant = <T>(method: string, path: string, body?: unknown): Promise<T> =>
    api<T>(stack, tenant.apiKey, method, `/api/v1${path}`, body);

  async function relay(index: number): Promise<RunningRelay> {
    return await startRelay({
      ...{ number: index + 1, home, ports: ports[index] as RelayPorts, apiUrl: stack.api_url, joinToken },
      ...{ certificate: null, redis: { kind: 'none' } },
    });
  }

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'tunnox-certificates-'));
    ports = planPorts(await freePortBlock(100), 2).relays;
    dns = await startPowerDns();
    for (const zone of ['example', BASE, 'customer.example']) await dns.createZone(zone);
    doh = await startDohFront(dns.dnsPort);
    // It validates at the first relay.
    pebble = await startPebble({ dnsPort: dns.dnsPort, httpPort: ports[0]?.http ?? 0 });
    process.env['NODE_EXTRA_CA_CERTS'] = pebble.caFile;
    process.env['DNS_RESOLVER_URL'] = doh.url;
    process.env['DNS_BEAT_MS'] = '200';
    process.env['ACME_DIRECTORY_URL'] = pebble.directoryUrl;
    const { startControlPlane } = await import('@tunnox/testing/control-plane-fixture');
    controlPlane = await startControlPlane({ baseDomain: BASE });
    stack = { api_url: controlPlane.apiUrl, operator_key: controlPlane.operatorKey, base_domain: BASE } as Stack;
    joinToken = (await asOperator<{ join_token: string }>('POST', '/join-tokens', { uses: null })).join_token;
    relays.push(...(await Promise.all([relay(0), relay(1)])));
    service = await startTargetService('secured');
    tenant = await createTenant(stack);
    const client = await managedClient(stack, home, tenant);
    clientId = client.clientId;
    const target = { client_id: clientId, target_port: service.port };
    subdomain = (await asTenant<{ full_domain: string }>('POST', '/domains', target)).full_domain;
    agent = await startAgent({ stack, home }, ['run', '-c', client.configFile]);
    await agent.ready();
  });
  after(async () => {
    await agent?.stop();
    await service?.stop();
    await Promise.all(relays.map((one) => one.stop()));
    await controlPlane?.stop();
    await Promise.all([pebble?.stop(), doh?.stop(), dns?.stop()]);
    await rm(home, { recursive: true, force: true });
    for (const [name, value] of settingsBefore) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  async function certificateOf(name: string): Promise<Certificate | undefined> {
    const path = `/certificates?name=${encodeURIComponent(name)}`;
    return (await asOperator<{ certificates: Certificate[] }>('GET', path)).certificates[0];
  }

  async function active(name: string, states: string[] = []): Promise<Certificate> {
    let last: Certificate | undefined;
    await waitFor(async () => {
      last = await certificateOf(name);
      if (last !== undefined && states.at(-1) !== last.state) states.push(last.state);
      return last?.state === 'active';
    }, WAIT_MS).catch((error: unknown) => {
      throw new Error(`${name}: ${JSON.stringify(last)}\n${controlPlane.logs.slice(-20).join('\n')}`, { cause: error });
    });
    return last as Certificate;
  }

  /** What curl gets that trusts the authority's root and nobody else. */
  async function curl(name: string, { https }: RelayPorts): Promise<string> {
    const rootFile = join(home, 'root.pem');
    await writeFile(rootFile, await pebble.root());
    const url = `https://${name}:${https}/`;
    const args = ['-sS', '--fail', '--cacert', rootFile, '--resolve', `${name}:${https}:127.0.0.1`, url];
    return (await run('curl', args, { timeout: 20_000 })).stdout;
  }

  /** Both relays serve the name with a certificate that a visitor trusts. */
  async function served(name: string): Promise<void> {
    for (const one of ports) {
      let answer = '';
      await waitFor(async () => {
        answer = await curl(name, one);
        return true;
      }, WAIT_MS);
      assert.equal(answer, service.name);
    }
  }

  async function metrics({ metrics: port }: RelayPorts): Promise<string> {
    const [answer] = await once(get({ host: '127.0.0.1', port, path: '/metrics' }), 'response');
    return await text(answer);
  }

  async function proved(name: string): Promise<void> {
    const { domain_id, proofs } = await asTenant<{ domain_id: number; proofs: { name: string; value: string }[] }>(
      ...(['POST', '/domains', { domain: name, client_id: clientId, target_port: service.port }] as const),
    );
    const [proof] = proofs;
    assert.ok(proof);
    await dns.setRecords('customer.example', proof.name, 'TXT', [proof.value]);
    const { verification_state } = await asTenant<{ verification_state: string }>(
      'POST',
      `/domains/${domain_id}/verify`,
    );
    assert.equal(verification_state, 'verified');
  }

  test('every name of a base domain is served at every relay, HTTPS begins with its certificate', async () => {
    await assert.rejects(curl(subdomain, ports[0] as RelayPorts), /Failed to connect|Couldn't connect/);
    const { credential_id } = await asOperator<{ credential_id: number }>('POST', '/dns/credentials', {
      ...{ name: 'dns', provider: 'powerdns', token: dns.apiKey, endpoint: dns.apiUrl },
    });
    await asOperator('POST', '/dns/zones', { domain: BASE, credential_id });
    await controlPlane.runScheduled();
    await active(BASE);
    await served(subdomain);
    const { mode } = await stat(join(home, 'relay-1', 'certificates', `${(await active(BASE)).certificate_id}.json`));
    assert.equal(mode & 0o777, 0o600);
    for (const one of ports) {
      const said = await metrics(one);
      assert.match(said, /^tunnox_certificates_loaded 1$/m);
      assert.match(said, /^tunnox_certificate_days_left\{name="\*\.tunnox\.example"\} 1\d{3}/m);
      assert.match(said, /^tunnox_certificate_fetch_error 0$/m);
    }
  });

  test('a custom domain that leads to the relays is proved by them', async () => {
    const name = 'shop.customer.example';
    await dns.setRecords('customer.example', name, 'A', ['127.0.0.1']);
    const states: string[] = [];
    await proved(name);
    const { challenge } = await active(name, states);
    assert.equal(challenge, 'http-01');
    // The others may be over between two looks; these take a second each.
    const seen = states.filter((state) => ['validating', 'finalizing', 'active'].includes(state));
    assert.deepEqual(seen, ['validating', 'finalizing', 'active'], states.join());
    await served(name);
  });

  test('a token that is not ours goes to the tunnel', async () => {
    const before = service.requests;
    const path = '/.well-known/acme-challenge/tokenOfAClientBehindTheTunnel';
    const headers = { host: 'shop.customer.example' };
    const [answer] = await once(
      get({ host: '127.0.0.1', port: ports[0]?.http, path, headers, agent: false }),
      'response',
    );
    await text(answer);
    assert.equal(answer.headers['x-service'], service.name);
    assert.equal(service.requests, before + 1);
  });

  test('a custom domain with a CNAME for its proofs needs no relay for them', async () => {
    const name = 'left.customer.example';
    await proved(name);
    await waitFor(async () => ((await certificateOf(name))?.last_error ?? null) !== null, WAIT_MS);
    const waits = await certificateOf(name);
    assert.ok(waits?.delegation);
    await dns.setRecords('customer.example', waits.delegation.name, 'CNAME', [waits.delegation.value]);
    await asTenant('POST', `/certificates/${waits.certificate_id}/renew`);
    const { challenge } = await active(name);
    assert.equal(challenge, 'dns-01');
    await served(name);
  });

  test('a renewal under load fails no handshake, and changes the key', async () => {
    const { https } = ports[0] as RelayPorts;
    const before = await active(BASE);
    const ca = await pebble.root();
    const serials = new Map<string, string>();
    const failures: unknown[] = [];
    let handshakes = 0;
    let going = true;
    const visitor = async (): Promise<void> => {
      while (going) {
        try {
          const { serialNumber, publicKey } = await handshake(https, subdomain, ca);
          serials.set(serialNumber, publicKey.export({ type: 'spki', format: 'pem' }).toString());
          handshakes += 1;
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const visitors = Array.from({ length: 4 }, visitor);
    // One that is open all the while.
    const long = await open(https, subdomain, ca);
    await asOperator('POST', `/certificates/${before.certificate_id}/renew`);
    await waitFor(async () => serials.size === 2, WAIT_MS);
    going = false;
    await Promise.all(visitors);
    assert.deepEqual(failures, []);
    assert.ok(handshakes > 20, String(handshakes));
    assert.equal(new Set(serials.values()).size, 2);
    assert.ok((await active(BASE)).certificate_version > before.certificate_version);
    long.write(`GET / HTTP/1.1\r\nHost: ${subdomain}\r\nConnection: close\r\n\r\n`);
    assert.match(await text(long), /^HTTP\/1\.1 200 /);
  });

  test('a relay that comes back serves what it has while nothing can be fetched', async () => {
    await relays[1]?.stop();
    const database = new Client({ connectionString: controlPlane.databaseUrl });
    await database.connect();
    // The control plane answers, and has no certificates to give.
    await database.query('alter table certificates rename to certificates_away');
    try {
      relays[1] = await relay(1);
      await waitFor(async () => (await metrics(ports[1] as RelayPorts)).includes('certificate_fetch_error 1'), WAIT_MS);
      await waitFor(
        async () => (await curl('shop.customer.example', ports[1] as RelayPorts)) === service.name,
        WAIT_MS,
      );
    } finally {
      await database.query('alter table certificates_away rename to certificates');
      await database.end();
    }
  });
});

async function open(port: number, servername: string, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  return socket;
}

/** The certificate that a visitor is shown, who trusts `ca` alone. */
async function handshake(port: number, servername: string, ca: string): Promise<X509Certificate> {
  const socket = await open(port, servername, ca);
  const certificate = new X509Certificate(socket.getPeerCertificate().raw);
  socket.destroy();
  return certificate;
}
