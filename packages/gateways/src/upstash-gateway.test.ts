import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { needs } from '@tunnox/testing/needs';
import { type RedisFixture, startRedis } from '@tunnox/testing/redis-fixture';
import { Redis } from '@upstash/redis';
import { UpstashGateway } from './upstash-gateway.ts';

const TOKEN = 'a token';
const deps = { log: { warn: () => {} } };

describe('UpstashGateway', { skip: needs('redis-server') }, () => {
  let server: RedisFixture;
  let gateway: UpstashGateway;
  let redis: Redis;

  before(async () => {
    server = await startRedis();
    gateway = new UpstashGateway(deps, { host: '127.0.0.1', port: 0, redisUrl: server.url, token: TOKEN });
    await gateway.start();
    redis = new Redis({ url: gateway.url, token: TOKEN, enableTelemetry: false, retry: false });
  });
  after(async () => {
    await gateway.stop();
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
  });

  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}${path}`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}`, ...headers }, body });

  test('gives every kind of reply as the client expects it', async () => {
    assert.equal(await redis.set('text', 'ü 😀 "x"\n'), 'OK');
    assert.equal(await redis.get('text'), 'ü 😀 "x"\n');
    assert.equal(await redis.set('ok', 'OK'), 'OK');
    assert.equal(await redis.get('ok'), 'OK');
    assert.equal(await redis.get('nothing'), null);
    assert.equal(await redis.ping(), 'PONG');
    assert.equal(await redis.incrby('n', 41), 41);
    assert.equal(await redis.get('n'), 41);
    assert.equal(await redis.set('json', { a: [1, null], b: true }, { ex: 100 }), 'OK');
    assert.deepEqual(await redis.get('json'), { a: [1, null], b: true });
    assert.equal(await redis.set('json', 'other', { nx: true }), null);
    assert.equal(await redis.hset('hash', { x: '1', y: 'two' }), 2);
    assert.deepEqual(await redis.hgetall('hash'), { x: 1, y: 'two' });
    assert.deepEqual(await redis.mget('text', 'nothing', 'n'), ['ü 😀 "x"\n', null, 41]);
    assert.deepEqual(await redis.zrange('none', 0, -1), []);
    assert.equal(await redis.zadd('z', { score: 1.5, member: 'a' }), 1);
    assert.deepEqual(await redis.zrange('z', 0, -1, { withScores: true }), ['a', 1.5]);
    assert.deepEqual(await redis.scan(0, { match: 'has*' }), ['0', ['hash']]);
  });

  test('runs scripts, by text and by hash, with nested replies', async () => {
    const reply = await redis.eval("return {1, 'OK', {'a', false}, ARGV[1]}", [], ['x']);
    assert.deepEqual(reply, [1, 'OK', ['a', null], 'x']);
    const hash = await redis.scriptLoad('return redis.call("GET", KEYS[1])');
    await redis.set('k', 'v');
    assert.equal(await redis.evalsha(hash, ['k'], []), 'v');
    await assert.rejects(redis.evalsha('0'.repeat(40), [], []), /NOSCRIPT/);
  });

  test('gives Redis errors to the caller', async () => {
    await redis.set('text', 'x');
    await assert.rejects(redis.incr('text'), /ERR value is not an integer or out of range/);
    await assert.rejects(redis.lpush('text', 'x'), /WRONGTYPE/);
  });

  test('answers each command of a pipeline, errors in their place', async () => {
    const results = await redis.pipeline().set('a', 'x').incr('a').get('a').exec({ keepErrors: true });
    assert.equal(results[0].result, 'OK');
    assert.match(results[1].error ?? '', /^ERR value is not an integer/);
    assert.equal(results[2].result, 'x');
  });

  test('carries out a transaction as one, and none of it when a command is malformed', async () => {
    assert.deepEqual(await redis.multi().incr('n').incr('n').exec(), [1, 2]);
    const response = await post(
      '/multi-exec',
      JSON.stringify([
        ['INCR', 'n'],
        ['SET', 'only-a-key'],
      ]),
    );
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as { error: string }).error, /^ERR wrong number of arguments for 'set'/);
    assert.equal(await redis.get('n'), 2);
  });

  test('keeps transactions of callers apart', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => redis.multi().incr('n').incr('n').exec<number[]>()));
    for (const [first, second] of all) assert.equal(second, (first ?? 0) + 1);
  });

  test('gives plain text without Upstash-Encoding', async () => {
    const response = await post('/', '["ECHO", 12]');
    assert.deepEqual(await response.json(), { result: '12' });
    const encoded = await post('/', '["ECHO", true]', { 'upstash-encoding': 'base64' });
    assert.deepEqual(await encoded.json(), { result: Buffer.from('true').toString('base64') });
  });

  test('refuses a missing or wrong token', async () => {
    for (const authorization of ['', 'Bearer ', 'Bearer a tokem', `Basic ${TOKEN}`]) {
      const response = await post('/', '["PING"]', { authorization });
      assert.equal(response.status, 401);
      assert.deepEqual(await response.json(), { error: 'Unauthorized' });
    }
  });

  test('refuses what it cannot read and commands that concern other callers', async () => {
    const refused: [string, string, RegExp][] = [
      ['/', '', /must be JSON/],
      ['/', '{}', /must be an array/],
      ['/', '[]', /must be an array/],
      ['/', '["SET", {}]', /must be an array/],
      ['/pipeline', '["PING"]', /must be an array/],
      ['/pipeline', '[]', /must be an array of commands/],
      ['/', '["subscribe", "x"]', /not available: 'SUBSCRIBE'/],
      ['/', '["XREAD", "block", 0, "STREAMS", "s", "$"]', /not available: 'XREAD'/],
      ['/pipeline', '[["MULTI"]]', /not available: 'MULTI'/],
    ];
    for (const [path, body, expected] of refused) {
      const response = await post(path, body);
      assert.equal(response.status, 400, body);
      assert.match(((await response.json()) as { error: string }).error, expected);
    }
    assert.equal((await post('/nowhere', '[]')).status, 404);
  });

  test('answers 503 while Redis is away and serves again when it is back', async () => {
    await server.pause();
    assert.equal((await post('/', '["PING"]')).status, 503);
    assert.equal((await post('/pipeline', '[["PING"]]')).status, 503);
    assert.equal((await post('/multi-exec', '[["PING"]]')).status, 503);
    await server.resume();
    let status = 503;
    for (let tries = 0; status === 503 && tries < 100; tries++) {
      status = (await post('/', '["PING"]')).status;
      if (status === 503) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(status, 200);
  });
});

test('UpstashGateway start() and stop() may be called twice, without a Redis', async () => {
  const gateway = new UpstashGateway(deps, {
    host: '127.0.0.1',
    port: 0,
    redisUrl: 'redis://127.0.0.1:1',
    token: TOKEN,
  });
  await gateway.start();
  await gateway.start();
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: '["PING"]',
  });
  assert.equal(response.status, 503);
  await gateway.stop();
  await gateway.stop();
});
