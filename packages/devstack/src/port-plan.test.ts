import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort } from '@tunnox/testing/free-port';
import { checkPorts } from './check-ports.ts';
import { listeningPorts, planPorts, portBaseMax } from './port-plan.ts';

test('planPorts() gives the documented ports', () => {
  const plan = planPorts(9000, 2);
  assert.deepEqual([plan.api, plan.postgres, plan.neonGateway, plan.upstashGateway], [9000, 9001, 9002, 9003]);
  assert.deepEqual(plan.relays, [
    {
      agentTcp: 9010,
      agentWs: 9011,
      http: 9012,
      https: 9013,
      bridge: 9014,
      metrics: 9015,
      publicFrom: 9020,
      publicTo: 9039,
    },
    {
      agentTcp: 9040,
      agentWs: 9041,
      http: 9042,
      https: 9043,
      bridge: 9044,
      metrics: 9045,
      publicFrom: 9050,
      publicTo: 9069,
    },
  ]);
});

test('planPorts() from the highest base ends within the ports that exist, and no port is planned twice', () => {
  const plan = planPorts(portBaseMax(2), 2);
  const relay = plan.relays[1];
  assert.ok(relay !== undefined && relay.publicTo <= 65_535);
  const ports = listeningPorts(plan, true).map(([port]) => port);
  assert.equal(new Set(ports).size, ports.length);
});

test('checkPorts() names each taken port, what it is for, and the variable to set', async () => {
  const free = await freePort();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(address !== null && typeof address === 'object');
  await checkPorts([[free, 'the API']], 9000);
  await assert.rejects(
    checkPorts(
      [
        [free, 'the API'],
        [address.port, 'HTTP at relay 1'],
      ],
      9000,
    ),
    {
      name: 'StackError',
      message: new RegExp(
        `^Port ${address.port} \\(HTTP at relay 1\\) is taken by another program\\.\nEnd .*TUNNOX_PORT_BASE \\(now 9000\\).*19000\\.$`,
      ),
    },
  );
  taken.close();
});
