import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DevelopmentCa } from '@tunnox/certificates/development-ca';
import { acceptTunnel } from '@tunnox/streams/answer-tunnel';
import { freePort } from '@tunnox/testing/free-port';
import { API_KEY, FakeServer } from './fake-server.ts';
import { command, configDir, type RunningCommand } from './run-command.ts';

interface Setting {
  server: FakeServer;
  dir: string;
  env: Record<string, string>;
  /** Runs with `--json`, logged in. */
  run(...args: string[]): RunningCommand;
  /** The same without an account. */
  runAnonymous(...args: string[]): RunningCommand;
}

async function setUp(t: TestContext): Promise<Setting> {
  const server = await FakeServer.start(t);
  const dir = await configDir(t);
  const anonymous = { TUNNOX_SERVER: server.url, TUNNOX_CONFIG_DIR: dir };
  const env = { ...anonymous, TUNNOX_API_KEY: API_KEY };
  const start = (environment: Record<string, string>, args: string[]): RunningCommand =>
    command(t, [...args, '--json', '--insecure', '--transport', 'tls'], environment);
  return {
    server,
    dir,
    env,
    run: (...args) => start(env, args),
    runAnonymous: (...args) => start(anonymous, args),
  };
}

async function codeOf(running: RunningCommand): Promise<unknown> {
  return (await running.event('error'))['code'];
}

test('tunnox http --json says ready once the name can be used, and closed at the end', async (t) => {
  const { server, run } = await setUp(t);
  server.plane.newCode = 'code';
  const running = run('http', '3000', '--subdomain', 'shop');
  const ready = await running.event('ready');
  const session = await server.relay.sessions.next();
  await session.messages.next((message) => message.type === 'config_applied' && message.version === 2);
  assert.deepEqual(ready, {
    event: 'ready',
    client_id: 600_000_001,
    node_id: 'node-001',
    url: 'https://shop.tunnox.localhost:9013',
    urls: ['http://shop.tunnox.localhost:9012', 'https://shop.tunnox.localhost:9013'],
    target: 'http://localhost:3000',
    bindings: [
      {
        binding_id: 'domain:17',
        protocol: 'http',
        url: 'https://shop.tunnox.localhost:9013',
        target: 'http://localhost:3000',
      },
    ],
  });
  running.stop();
  assert.equal(await running.exit, 0);
  await session.messages.next((message) => message.type === 'bye');
  const names = running.events.all.map(({ event }) => event);
  assert.deepEqual(names, ['connecting', 'connected', 'ready', 'closed']);
  assert.equal(await running.stderr, '');
});

test('tunnox http takes a name over that is the own already', async (t) => {
  const { server, run } = await setUp(t);
  const first = run('http', '3000', '--subdomain', 'shop');
  await first.event('ready');
  first.stop();
  await first.exit;
  const second = run('http', 'https://10.0.0.5', '--subdomain', 'shop', '--host-header', 'shop.test');
  assert.equal((await second.event('ready'))['target'], 'https://10.0.0.5:443');
  const [domain] = server.domains;
  assert.deepEqual(
    [domain?.target_scheme, domain?.target_host, domain?.target_port, domain?.host_header],
    ['https', '10.0.0.5', 443, 'shop.test'],
  );
  assert.equal(server.domains.length, 1);
});

test('tunnox http tells when its name leads elsewhere', async (t) => {
  const { server, run } = await setUp(t);
  const running = run('http', '3000', '--subdomain', 'shop');
  await running.event('ready');
  server.plane.version += 1;
  server.plane.bindings = [];
  (await server.relay.sessions.next()).send({ type: 'config_changed', version: server.plane.version });
  const { code, message, binding_id } = await running.event('problem');
  assert.deepEqual([code, binding_id], ['tunnel_gone', 'domain:17']);
  assert.match(String(message), /^https:\/\/shop\.tunnox\.localhost:9013 leads here no more/);
  assert.deepEqual((await running.event('config'))['bindings'], []);
});

test('tunnox http without a name keeps the random one of its client', async (t) => {
  const { server, runAnonymous } = await setUp(t);
  server.plane.newCode = 'code';
  const urls: unknown[] = [];
  for (const port of ['3000', '4000']) {
    const running = runAnonymous('http', port);
    urls.push((await running.event('ready'))['url']);
    running.stop();
    await running.exit;
  }
  assert.deepEqual(urls, [
    'https://brave-otter-1000.tunnox.localhost:9013',
    'https://brave-otter-1000.tunnox.localhost:9013',
  ]);
  assert.equal(server.domains[0]?.target_port, 4000);
  const asked = server.plane.sessions.all.map(({ request }) => request.client_id);
  assert.deepEqual(asked, [undefined, 600_000_001]);
});

test('tunnox uses one client in each process at the same time', async (t) => {
  const { server, runAnonymous } = await setUp(t);
  server.plane.newCode = 'one';
  const first = runAnonymous('http', '3000');
  await first.event('ready');
  server.plane.clientId = 600_000_002;
  server.plane.newCode = 'two';
  const second = runAnonymous('http', '4000');
  assert.equal((await second.event('ready'))['client_id'], 600_000_002);
  const asked = server.plane.sessions.all.map(({ request }) => request.client_id);
  assert.deepEqual(asked, [undefined, undefined]);
});

test('tunnox http tells an anonymous user who chooses a name to log in', async (t) => {
  const { server, runAnonymous } = await setUp(t);
  const running = runAnonymous('http', '3000', '--subdomain', 'shop');
  assert.equal(await codeOf(running), 'login_required');
  assert.equal(await running.exit, 3);
  assert.equal(server.plane.sessions.all.length, 0);
});

test('tunnox http ends with 4 when the name is taken', async (t) => {
  const { server, run } = await setUp(t);
  const running = run('http', '3000', '--subdomain', 'taken');
  const error = await running.event('error');
  assert.equal(error['code'], 'subdomain_taken');
  assert.match(String(error['message']), /This is subdomain_taken\nChoose another --subdomain/);
  assert.equal(await running.exit, 4);
  assert.ok(server.calls.includes('POST /domains'));
});

test('tunnox http ends with 2 when the name is not allowed', async (t) => {
  const { run } = await setUp(t);
  const running = run('http', '3000', '--subdomain', 'admin');
  assert.equal(await codeOf(running), 'name_invalid');
  assert.equal(await running.exit, 2);
});

test('tunnox ends with 5 when there is no room for another client', async (t) => {
  const { server, run } = await setUp(t);
  server.plane.problems.push({ status: 403, code: 'quota_exceeded' });
  const running = run('http', '3000');
  assert.equal(await codeOf(running), 'quota_exceeded');
  assert.equal(await running.exit, 5);
});

test('tunnox replaces a client that the server no longer knows, and says so', async (t) => {
  const { server, runAnonymous } = await setUp(t);
  server.plane.clientId = 200_000_001;
  server.plane.newCode = 'one';
  const first = runAnonymous('http', '3000');
  await first.event('ready');
  first.stop();
  await first.exit;
  server.plane.problems.push({ status: 401, code: 'unauthenticated' });
  server.plane.clientId = 200_000_002;
  server.plane.newCode = 'two';
  server.domains.length = 0;
  const second = runAnonymous('http', '3000');
  assert.equal((await second.event('problem'))['code'], 'client_replaced');
  assert.equal((await second.event('ready'))['client_id'], 200_000_002);
});

test('tunnox ends with 6 when another process takes its client', async (t) => {
  const { server, run } = await setUp(t);
  const running = run('http', '3000');
  await running.event('ready');
  (await server.relay.sessions.next()).send({ type: 'replaced', message: 'Somebody else' });
  assert.equal((await running.event('replaced'))['message'], 'Somebody else');
  assert.equal(await running.exit, 6);
});

test('tunnox tells of a lost connection and of the next one', async (t) => {
  const { server, run } = await setUp(t);
  const running = run('http', '3000');
  await running.event('ready');
  (await server.relay.sessions.next()).destroy();
  assert.equal((await running.event('reconnecting'))['code'], 'connection_lost');
  assert.equal((await running.event('connected'))['node_id'], 'node-001');
  assert.equal(running.events.all.filter(({ event }) => event === 'ready').length, 1);
});

test('tunnox tells of visitors that cannot be served', async (t) => {
  const { server, run } = await setUp(t);
  const running = run('http', String(await freePort()));
  await running.event('ready');
  const session = await server.relay.sessions.next();
  await assert.rejects(session.open('domain:17'), { tunnelCause: 'refused' });
  const problem = await running.event('problem');
  assert.deepEqual([problem['code'], problem['binding_id']], ['refused', 'domain:17']);
  assert.match(String(problem['message']), /Nothing listens at localhost:/);
});

test('tunnox tcp opens a public port, and the same one the next time', async (t) => {
  const { server, run } = await setUp(t);
  for (let time = 0; time < 2; time += 1) {
    const running = run('tcp', '22', '--remote-port', '49001');
    const ready = await running.event('ready');
    assert.deepEqual(
      [ready['url'], ready['urls'], ready['target']],
      ['tcp://127.0.0.1:49001', ['tcp://127.0.0.1:49001'], 'localhost:22'],
    );
    running.stop();
    await running.exit;
  }
  assert.equal(server.mappings.length, 1);
  const moved = run('tcp', '23', '--remote-port', '49001');
  assert.equal((await moved.event('ready'))['target'], 'localhost:23');
  moved.stop();
  await moved.exit;
  assert.equal(server.mappings.length, 1);
  const taken = run('tcp', '22', '--remote-port', '49999');
  assert.equal(await codeOf(taken), 'port_taken');
  assert.equal(await taken.exit, 4);
});

test('tunnox forward opens a local port that leads to another client', async (t) => {
  const { server, run } = await setUp(t);
  const port = await freePort();
  const running = run('forward', '--to', '600000002', '--target', 'db:5432', '--local', String(port));
  const ready = await running.event('ready');
  assert.deepEqual(
    [ready['url'], ready['local_port'], ready['target']],
    [null, port, 'db:5432 behind client 600000002'],
  );
  const socket = connect(port, '127.0.0.1');
  const { stream, bindingId } = await server.relay.visits.next();
  assert.equal(bindingId, 'mapping:1001');
  acceptTunnel(stream);
  stream.end('hello');
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
  socket.destroy();
});

test('tunnox forward lets a local port lead elsewhere', async (t) => {
  const { server, run } = await setUp(t);
  const port = String(await freePort());
  const ways = [
    ['600000002', 'db:5432'],
    ['600000002', 'db:5433'],
    ['600000003', 'db:5433'],
    ['600000002', 'db:5432'],
  ] as const;
  for (const [to, target] of ways) {
    const running = run('forward', '--to', to, '--target', target, '--local', port);
    assert.equal((await running.event('ready'))['target'], `${target} behind client ${to}`);
    running.stop();
    await running.exit;
    assert.deepEqual(
      running.events.all.filter(({ event }) => event === 'problem'),
      [],
    );
  }
  const left = server.mappings.map((each) => [each.target_client_id, each.target_port, each.enabled]);
  assert.deepEqual(left, [
    [600_000_002, 5432, true],
    [600_000_003, 5433, false],
  ]);
});

async function holderOf(t: TestContext, port: number): Promise<number> {
  const holder = createServer().listen(port, '127.0.0.1');
  await once(holder, 'listening');
  t.after(() => holder.close());
  return (holder.address() as AddressInfo).port;
}

test('tunnox forward ends with 4 when the local port is in use, before it makes anything', async (t) => {
  const { server, run } = await setUp(t);
  const port = String(await holderOf(t, 0));
  const running = run('forward', '--to', '600000002', '--target', 'db:5432', '--local', port);
  assert.equal(await codeOf(running), 'port_in_use');
  assert.equal(await running.exit, 4);
  assert.deepEqual([server.calls, server.plane.sessions.all], [[], []]);
});

test('tunnox forward deletes the mapping that it made when the port is lost meanwhile, and no other', async (t) => {
  const { server, run } = await setUp(t);
  const forward = ['forward', '--to', '600000002', '--target', 'db:5432', '--local'];
  const kept = run(...forward, String(await freePort()));
  await kept.event('ready');
  kept.stop();
  await kept.exit;
  const port = await freePort();
  server.before = async (call) => {
    if (call === 'POST /mappings') await holderOf(t, port);
  };
  const running = run(...forward, String(port));
  assert.equal(await codeOf(running), 'port_in_use');
  assert.equal(await running.exit, 4);
  assert.ok(server.calls.includes('DELETE /mappings/1002'));
  assert.deepEqual(
    server.mappings.map(({ mapping_id }) => mapping_id),
    [1001],
  );
});

for (const args of [
  ['http', '3000'],
  ['login', '--api-key', API_KEY],
]) {
  test(`tunnox ${args[0]} ends with 2 when nothing can be written to the folder, before it asks the server`, async (t) => {
    const { server, dir, env } = await setUp(t);
    const file = join(dir, 'file');
    await writeFile(file, '');
    // In /proc a folder exists and none can be made in it; by Node's own recursion that takes for ever.
    for (const folder of [...(process.platform === 'linux' ? ['/proc/tunnox'] : []), file, join(file, 'below')]) {
      const running = command(t, [...args, '--json', '--config-dir', folder], env);
      const { code, message } = await running.event('error');
      assert.equal(code, 'usage');
      assert.ok(String(message).includes(`'${folder}`) && String(message).includes('--config-dir'), String(message));
      assert.equal(await running.exit, 2);
    }
    assert.deepEqual([server.calls, server.plane.sessions.all], [[], []]);
  });
}

test('tunnox run does what the server says, and tells when that changes', async (t) => {
  const { server, dir, runAnonymous } = await setUp(t);
  const file = join(dir, 'tunnox.yaml');
  await writeFile(file, 'client_id: 600000001\nauth_code: secret\nallow:\n  - localhost\n');
  const running = runAnonymous('run', '-c', file);
  const ready = await running.event('ready');
  assert.deepEqual([ready['url'], ready['bindings']], [null, []]);
  const { request } = await server.plane.sessions.next();
  assert.deepEqual([request.client_id, request.auth_code], [600_000_001, 'secret']);
  server.plane.version = 2;
  server.plane.bindings = [
    {
      role: 'target',
      binding_id: 'mapping:1001',
      protocol: 'tcp',
      enabled: true,
      url: 'tcp://relay.example.com:49000',
      target_scheme: 'tcp',
      target_host: '10.0.0.1',
      target_port: 22,
      secret: null,
    },
  ];
  (await server.relay.sessions.next()).send({ type: 'config_changed', version: 2 });
  assert.deepEqual(await running.event('config'), {
    event: 'config',
    version: 2,
    bindings: [
      { binding_id: 'mapping:1001', protocol: 'tcp', url: 'tcp://relay.example.com:49000', target: '10.0.0.1:22' },
    ],
  });
  const problems = running.events.all.filter(({ event }) => event === 'problem');
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['not_allowed'],
  );
});

test('tunnox login checks a key from a pipe, keeps it, and makes its server the default', async (t) => {
  const { server, dir } = await setUp(t);
  const at = { TUNNOX_CONFIG_DIR: dir };
  const wrong = command(t, ['login', '--server', server.url, '--json'], at, 'nonsense\n');
  assert.equal(await codeOf(wrong), 'unauthenticated');
  assert.equal(await wrong.exit, 3);
  const right = command(t, ['login', '--server', server.url], at, `${API_KEY}\n`);
  assert.equal(await right.exit, 0);
  assert.equal(await right.stdout, `Logged in at ${server.url} as ada\n`);
  const file = join(dir, 'credentials.json');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok((await readFile(file, 'utf8')).includes(API_KEY));
  const status = command(t, ['status', '--json'], at);
  assert.equal((await status.event('result'))['username'], 'ada');
});

test('tunnox ends at once with 7 when the address is not that of a Tunnox server', async (t) => {
  const { env } = await setUp(t);
  const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const running = command(t, ['http', '3000', '--json'], { ...env, TUNNOX_SERVER: url });
  assert.match(String((await running.event('error'))['message']), /does not answer like a Tunnox server/);
  assert.equal(await running.exit, 7);
});

test('tunnox ends at once with 7 at a relay, keeps its clients and names the usual control plane', async (t) => {
  const { dir } = await setUp(t);
  const relay = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/problem+json', 'tunnox-error': 'not_found' });
    response.end(JSON.stringify({ code: 'not_found', title: 'No such name' }));
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  const server = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const client = { server, owner: 'anonymous', client_id: 600_000_001, auth_code: 'code' };
  const saved = JSON.stringify({ version: 1, logins: {}, clients: [client] });
  await writeFile(join(dir, 'credentials.json'), saved);
  const running = command(t, ['http', '3000', '--json', '--server', server], { TUNNOX_CONFIG_DIR: dir });
  const { code, message } = await running.event('error');
  assert.equal(code, 'bad_answer');
  assert.match(
    String(message),
    /not the control plane's address\nName the control plane by --server .* http:\/\/127\.0\.0\.1:9000/,
  );
  assert.equal(await running.exit, 7);
  assert.equal(await readFile(join(dir, 'credentials.json'), 'utf8'), saved);
});

test('tunnox ends at once with 7 when the certificate is not trusted, and names --ca-file', async (t) => {
  const { env, dir } = await setUp(t);
  const files = { certFile: join(dir, 'server.pem'), keyFile: join(dir, 'server-key.pem') };
  await (await DevelopmentCa.loadOrCreate(dir)).ensureServerCertificate(files, ['127.0.0.1']);
  const unrelated = await DevelopmentCa.loadOrCreate(join(dir, 'unrelated'));
  const [cert, key] = [await readFile(files.certFile), await readFile(files.keyFile)];
  const other = createHttpsServer({ cert, key }, (_request, response) => response.end('{}'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const url = `https://127.0.0.1:${(other.address() as AddressInfo).port}`;
  for (const options of [[], ['--ca-file', unrelated.caFile]]) {
    const running = command(t, ['http', '3000', '--json', '--server', url, ...options], env);
    const { code, message } = await running.event('error');
    assert.equal(code, 'server_untrusted');
    assert.match(
      String(message),
      /^The certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted: [^;]*\n.*--ca-file or TUNNOX_CA_FILE/,
    );
    assert.equal(await running.exit, 7);
  }
});

test('tunnox without a terminal prints plain lines', async (t) => {
  const { env, server } = await setUp(t);
  const running = command(t, ['http', '3000', '--subdomain', 'shop', '--insecure'], env);
  const session = await server.relay.sessions.next();
  await session.messages.next((message) => message.type === 'config_applied' && message.version === 2);
  running.stop();
  assert.equal(await running.exit, 0);
  const stdout = await running.stdout;
  assert.match(stdout, /^Connecting …\nConnected to node-001 as client 600000001\n/);
  assert.ok(!stdout.includes('\x1b'));
});

for (const [args, pattern] of [
  [['http'], /missing required argument/],
  [['http', '3000', '--transport', 'udp'], /Allowed choices/],
  [['http', 'x y'], /Cannot use 'x y' as target/],
  [['http', '3000', '--subdomain', 'a', '--domain', 'b.c'], /not both/],
  [['tcp', '22', '--remote-port', '0'], /1 to 65535/],
  [['forward', '--to', '1', '--target', 'a:1', '--local', '1'], /nine digits/],
  [['run', '-c', '/nowhere/tunnox.yaml'], /Cannot read the configuration file/],
  [['http', '3000', '--server', 'ftp://x'], /Cannot use 'ftp:\/\/x' as server/],
  [['nonsense'], /unknown command/],
] as const) {
  test(`tunnox ${args.join(' ')} is a usage error`, async (t) => {
    const { env } = await setUp(t);
    const running = command(t, [...args, '--json'], env);
    const error = await running.event('error');
    assert.equal(error['code'], 'usage');
    assert.match(String(error['message']), pattern);
    assert.equal(await running.exit, 2);
  });
}
