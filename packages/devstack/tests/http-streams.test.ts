import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { startAgent, type AgentProcess } from '@tunnox/testing/agent';
import { inBothModes } from './support/modes.ts';
import { hashOfPattern, patternOf } from './support/pattern.ts';
import { residentBytes } from './support/resident-bytes.ts';
import { startTargetService, type TargetService } from './support/target-service.ts';
import { createTenant } from './support/tenant.ts';
import { open, visit } from './support/visit.ts';

const BODY_BYTES = 100 * 1024 * 1024;
const GROWTH_BYTES_MAX = 32 * 1024 * 1024;

inBothModes('HTTP through a relay', { env: { TUNNOX_DEMO: 'off' } }, (context) => {
  const services: TargetService[] = [];
  const agents: AgentProcess[] = [];

  before(async () => {
    const { apiKey } = await createTenant(context.platform.stack);
    for (const name of ['one', 'two']) {
      const service = await startTargetService(name);
      services.push(service);
      const agent = await startAgent(context.platform, ['http', String(service.port), '--subdomain', name], apiKey);
      agents.push(agent);
      await agent.ready();
    }
  });
  after(async () => {
    await Promise.all(agents.map((agent) => agent.stop()));
    await Promise.all(services.map((service) => service.stop()));
  });

  for (const number of [1, 2]) {
    describe(`relay ${number}`, () => {
      const relay = () => {
        const found = context.platform.stack.relays[number - 1];
        if (found === undefined) throw new Error(`There is no relay ${number}`);
        return found;
      };
      const door = () => ({ address: relay().http });
      const host = 'one.tunnox.localhost';

      it('carries 100 MB down and up unchanged, in little memory', async () => {
        // What a first large body makes once (buffers, compiled code) is not growth.
        await visit(door(), host, `/bytes/${BODY_BYTES / 10}`);
        const before = context.platform.stack.relays.map(({ pid }) => residentBytes(pid));

        const down = await open(door(), host, `/bytes/${BODY_BYTES}`);
        const hash = createHash('sha256');
        for await (const chunk of down) hash.update(chunk as Buffer);
        assert.equal(hash.digest('hex'), hashOfPattern(BODY_BYTES));

        const up = await visit(door(), host, '/hash', {
          method: 'POST',
          headers: { 'content-length': String(BODY_BYTES) },
          body: patternOf(BODY_BYTES),
        });
        assert.deepEqual(JSON.parse(up.text), { length: BODY_BYTES, sha256: hashOfPattern(BODY_BYTES) });

        context.platform.stack.relays.forEach(({ pid, node_id }, index) => {
          const grown = residentBytes(pid) - (before[index] ?? 0);
          assert.ok(grown < GROWTH_BYTES_MAX, `${node_id} grew by ${grown} bytes`);
        });
      });

      it('answers 1 000 requests with mixed hosts on kept-alive connections, each by its own service', async () => {
        const agent = new Agent({ keepAlive: true, maxSockets: 8 });
        try {
          await Promise.all(
            Array.from({ length: 1000 }, async (_, index) => {
              const name = index % 3 === 0 ? 'two' : 'one';
              const answer = await visit({ ...door(), agent }, `${name}.tunnox.localhost`, `/?${index}`);
              assert.deepEqual([answer.status, answer.text], [200, name]);
            }),
          );
        } finally {
          agent.destroy();
        }
      });

      it('echoes a WebSocket', async () => {
        const socket = new WebSocket(`ws://${relay().http}/chat`, { headers: { host } });
        await once(socket, 'open');
        for (const message of ['hello', 'x'.repeat(100_000)]) {
          socket.send(message);
          const [echo] = (await once(socket, 'message')) as [Buffer];
          assert.equal(echo.toString(), message);
        }
        socket.close();
        await once(socket, 'close');
      });

      it('passes the first server-sent event on before the second one is sent', async () => {
        const response = await open(door(), host, '/events');
        const [first] = (await once(response, 'data')) as [Buffer];
        assert.equal(first.toString(), 'data: 1\n\n');
        services[0]?.nextEvent();
        const [second] = (await once(response, 'data')) as [Buffer];
        assert.equal(second.toString(), 'data: 2\n\n');
        response.destroy();
      });

      it('passes chunks and their trailers on', async () => {
        const answer = await visit(door(), host, '/trailers', { headers: { te: 'trailers' } });
        assert.equal(answer.text, 'first,second');
        assert.equal(answer.trailers['x-checksum'], 'abc');
      });

      it('serves one visitor while 99 do not read', async () => {
        const silent = await Promise.all(Array.from({ length: 99 }, () => open(door(), host, `/bytes/${BODY_BYTES}`)));
        try {
          const answer = await visit(door(), host, '/bytes/1000000');
          assert.equal(createHash('sha256').update(answer.body).digest('hex'), hashOfPattern(1_000_000));
        } finally {
          for (const response of silent) response.destroy();
        }
      });

      it('gives a visitor who half-closes after the request the whole answer', async () => {
        const [hostPart, port] = relay().http.split(':');
        const socket = connect({ host: hostPart ?? '', port: Number(port), allowHalfOpen: true });
        socket.end(`POST /late HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`);
        const answer = await text(socket);
        assert.match(answer, /^HTTP\/1\.1 200 /);
        assert.match(answer, /one:late/);
      });
    });
  }
});
