import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Binding } from '@tunnox/domain/binding';
import type { ClientPolicy, LedgerWord, RelayLimits } from '@tunnox/domain/policy';
import { FakeClock } from '@tunnox/testing/fake-clock';
import fc from 'fast-check';
import { TunnelRefused } from '../upstream/tunnel-refused.ts';
import { RelayAdmission, type UsageEntry } from './relay-admission.ts';

const VISITOR = '192.0.2.1:5000';

function binding(change: Partial<Binding> = {}): Binding {
  return {
    binding_id: 'mapping:1001',
    version: 1,
    endpoint: 'foo.example.com',
    protocol: 'http',
    enabled: true,
    user_id: 100_000_001,
    source_client_id: null,
    upstreams: [{ client_id: 600_000_000, weight: 1, priority: 0 }],
    host_header: null,
    warning_page: false,
    access: { allow: [], deny: [] },
    ...change,
  };
}

function policy(limits: Partial<RelayLimits> = {}, bindings: Binding[] = [binding()]): ClientPolicy {
  return {
    client_id: 600_000_000,
    user_id: 100_000_001,
    generation: 1,
    config_version: 1,
    limits: {
      max_connections_per_mapping: null,
      bandwidth_bytes_per_s: null,
      traffic_remaining_bytes: null,
      ...limits,
    },
    bindings,
  };
}

function causeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof TunnelRefused);
    return error.tunnelCause;
  }
  return 'admitted';
}

test('RelayAdmission.admit() decides by the newest binding it knows', () => {
  const admission = new RelayAdmission(new FakeClock());
  const deny = { allow: [], deny: ['192.0.2.0/24'] };
  const cases: [asked: Binding, pushed: Binding | null, cause: string][] = [
    [binding(), null, 'admitted'],
    [binding({ expires_at: new Date(1_000_000).toISOString() }), null, 'unknown_binding'],
    [binding({ expires_at: new Date(1_000_001).toISOString() }), null, 'admitted'],
    [binding({ enabled: false }), null, 'disabled'],
    [binding({ access: deny }), null, 'denied'],
    [binding(), binding({ version: 2, enabled: false }), 'disabled'],
    [binding({ version: 3 }), binding({ version: 2, enabled: false }), 'admitted'],
    [binding(), binding({ version: 2, access: deny }), 'denied'],
  ];
  for (const [asked, pushed, cause] of cases) {
    const known = pushed === null ? null : policy({}, [pushed]);
    assert.equal(
      causeOf(() => admission.admit(600_000_000, known, asked, VISITOR)),
      cause,
    );
  }
});

test('RelayAdmission counts connections for each mapping and gives places back once', () => {
  const admission = new RelayAdmission(new FakeClock());
  const limited = policy({ max_connections_per_mapping: 2 });
  const admit = () => admission.admit(600_000_000, limited, binding(), VISITOR);
  const first = admit();
  admit();
  assert.equal(causeOf(admit), 'connection_limit');
  assert.equal(
    causeOf(() => admission.admit(600_000_000, limited, binding({ binding_id: 'mapping:1002' }), VISITOR)),
    'admitted',
  );
  first.release();
  first.release();
  admit();
  assert.equal(causeOf(admit), 'connection_limit');
  admission.applyPolicy(policy({ max_connections_per_mapping: 3 }));
  admit();
  assert.equal(causeOf(admit), 'connection_limit');
});

test('RelayAdmission counts every byte and connection exactly once', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('open' as const), mapping: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('move' as const), pick: fc.nat(), in: fc.nat(10_000), out: fc.nat(10_000) }),
    fc.record({ do: fc.constant('close' as const), pick: fc.nat() }),
    fc.record({ do: fc.constant('take' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const admission = new RelayAdmission(new FakeClock());
      const open: { meter: { bytesIn: number; bytesOut: number }; release(): void }[] = [];
      const taken: UsageEntry[] = [];
      const expected = { bytesIn: 0, bytesOut: 0, connections: 0 };
      for (const one of steps) {
        if (one.do === 'open') {
          const asked = binding({ binding_id: `mapping:${one.mapping}` });
          open.push(admission.admit(600_000_000, policy(), asked, VISITOR));
          expected.connections++;
        } else if (one.do === 'move') {
          const tunnel = open[one.pick % Math.max(1, open.length)];
          if (tunnel === undefined) continue;
          tunnel.meter.bytesIn += one.in;
          tunnel.meter.bytesOut += one.out;
          expected.bytesIn += one.in;
          expected.bytesOut += one.out;
        } else if (one.do === 'close') {
          open.splice(one.pick % Math.max(1, open.length), 1)[0]?.release();
        } else {
          const entries = admission.takeUsage();
          admission.reported(entries, { allowances: [] });
          taken.push(...entries);
        }
      }
      taken.push(...admission.takeUsage());
      const sum = (key: 'bytes_in' | 'bytes_out' | 'connections') => taken.reduce((all, entry) => all + entry[key], 0);
      assert.deepEqual(
        { bytesIn: sum('bytes_in'), bytesOut: sum('bytes_out'), connections: sum('connections') },
        expected,
      );
      assert.equal(admission.snapshot().tunnels, open.length);
      assert.equal(admission.snapshot().bytesIn, expected.bytesIn);
    }),
  );
});

test('RelayAdmission ends tunnels when the traffic is used up, asks to report, and lets in again after more', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  let reportsWanted = 0;
  admission.onReportWanted = () => reportsWanted++;
  const limited = policy({ traffic_remaining_bytes: 1000 });
  const admitted = admission.admit(600_000_000, limited, binding(), VISITOR);
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  assert.equal(admitted.shape(stream), stream);
  admitted.meter.bytesOut += 500;
  clock.advance(500);
  assert.equal(reportsWanted, 1);
  assert.equal(stream.destroyed, false);
  const entries = admission.takeUsage();
  admission.reported(entries, { allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 300 }] });
  admitted.meter.bytesIn += 299;
  clock.advance(500);
  assert.equal(stream.destroyed, false);
  admitted.meter.bytesIn += 1;
  clock.advance(500);
  assert.equal(stream.destroyed, true);
  admitted.release();
  assert.equal(
    causeOf(() => admission.admit(600_000_000, limited, binding(), VISITOR)),
    'traffic_limit',
  );
  admission.reported(admission.takeUsage(), {
    allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 5000 }],
  });
  assert.equal(
    causeOf(() => admission.admit(600_000_000, limited, binding(), VISITOR)),
    'admitted',
  );
});

test('RelayAdmission.applyPolicy() closes tunnels of changed, disabled and deleted bindings only', () => {
  const admission = new RelayAdmission(new FakeClock());
  const streamOf = (id: string): PassThrough => {
    const stream = new PassThrough();
    stream.on('error', () => undefined);
    admission.admit(600_000_000, policy(), binding({ binding_id: id, version: 5 }), VISITOR).shape(stream);
    return stream;
  };
  const [kept, changed, disabled, deleted] = ['mapping:1', 'mapping:2', 'mapping:3', 'mapping:4'].map(streamOf);
  admission.applyPolicy(
    policy({}, [
      binding({ binding_id: 'mapping:1', version: 5 }),
      binding({ binding_id: 'mapping:2', version: 6 }),
      binding({ binding_id: 'mapping:3', version: 5, enabled: false }),
    ]),
  );
  assert.deepEqual(
    [kept, changed, disabled, deleted].map((stream) => stream?.destroyed),
    [false, true, true, true],
  );
});

test('RelayAdmission puts a bandwidth limit into open tunnels and takes it out again', async () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  const stream = new PassThrough();
  admission.admit(600_000_000, policy(), binding(), VISITOR).shape(stream);
  assert.equal(Object.hasOwn(stream, 'write'), false);
  admission.applyPolicy(policy({ bandwidth_bytes_per_s: 1000 }));
  stream.write(Buffer.alloc(5000));
  assert.equal(stream.write(Buffer.alloc(5000)), false);
  admission.applyPolicy(policy());
  assert.equal(Object.hasOwn(stream, 'write'), false);
  assert.equal(clock.pending, 0);
});

test('RelayAdmission ends a tunnel whose binding was switched off while it was being opened', () => {
  const admission = new RelayAdmission(new FakeClock());
  const admitted = admission.admit(600_000_000, policy(), binding(), VISITOR);
  admission.applyPolicy(policy({}, [binding({ version: 2, enabled: false })]));
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  assert.equal(
    causeOf(() => admitted.shape(stream)),
    'stale_binding',
  );
  assert.equal(stream.destroyed, true);
});

test('RelayAdmission ends a tunnel whose traffic was used up while it was being opened', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  const limited = policy({ traffic_remaining_bytes: 1000 });
  const opening = admission.admit(600_000_000, limited, binding(), VISITOR);
  const open = admission.admit(600_000_000, limited, binding(), VISITOR);
  open.meter.bytesOut += 1000;
  clock.advance(500);
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  assert.equal(
    causeOf(() => opening.shape(stream)),
    'traffic_limit',
  );
});

test('RelayAdmission.applyPolicy() passes over a policy that is older than one it has taken', () => {
  const admission = new RelayAdmission(new FakeClock());
  const newer = { ...policy({ max_connections_per_mapping: 1 }), config_version: 5 };
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  admission.admit(600_000_000, newer, binding(), VISITOR).shape(stream);
  // The answer to an attach that was overtaken by a push: it knows nothing of the binding.
  admission.applyPolicy({ ...policy({}, []), config_version: 4 });
  assert.equal(stream.destroyed, false);
  assert.equal(
    causeOf(() => admission.admit(600_000_000, newer, binding(), VISITOR)),
    'connection_limit',
  );
});

test('RelayAdmission.admit() limits a user whose first tunnel here came before any policy', () => {
  const admission = new RelayAdmission(new FakeClock());
  admission.admit(600_000_001, null, binding({ binding_id: 'mapping:7' }), VISITOR);
  const limited = policy({ max_connections_per_mapping: 1 });
  admission.admit(600_000_000, limited, binding(), VISITOR);
  assert.equal(
    causeOf(() => admission.admit(600_000_000, limited, binding(), VISITOR)),
    'connection_limit',
  );
});

test('RelayAdmission holds an anonymous client to its traffic, for which no report is answered', () => {
  const admission = new RelayAdmission(new FakeClock());
  const anonymous = { ...policy({ traffic_remaining_bytes: 1000 }), user_id: null };
  const asked = binding({ user_id: null });
  const admit = () => admission.admit(600_000_000, anonymous, asked, VISITOR);
  for (const bytes of [600, 400]) {
    const admitted = admit();
    admitted.meter.bytesOut += bytes;
    admitted.release();
    admission.reported(admission.takeUsage(), { allowances: [] });
  }
  assert.equal(causeOf(admit), 'traffic_limit');
  // It comes back: what is left is the control plane's word again.
  admission.clientLeft(600_000_000);
  assert.equal(causeOf(admit), 'admitted');
});

/** What a ledger has said of the limits. */
function ledger(change: Partial<LedgerWord>): { ledger: LedgerWord } {
  return {
    ledger: {
      version: 1,
      total_bandwidth_bytes_per_s: null,
      max_active_mappings: null,
      waiting_bindings: [],
      ...change,
    },
  };
}

test('RelayAdmission refuses a binding that waits for a place, and ends its tunnels when it loses it', () => {
  const admission = new RelayAdmission(new FakeClock());
  const two = [binding(), binding({ binding_id: 'mapping:1002' })];
  const free = policy({ ...ledger({ max_active_mappings: 2 }) }, two);
  admission.applyPolicy(free);
  const streams = two.map((one) => {
    const stream = new PassThrough();
    stream.on('error', () => undefined);
    admission.admit(600_000_000, free, one, VISITOR).shape(stream);
    return stream;
  });
  const full = policy({ ...ledger({ version: 2, max_active_mappings: 1, waiting_bindings: ['mapping:1002'] }) }, two);
  admission.applyPolicy(full);
  assert.deepEqual(
    streams.map((stream) => stream.destroyed),
    [false, true],
  );
  assert.equal((streams[1]?.errored as TunnelRefused | undefined)?.tunnelCause, 'active_limit');
  assert.equal(
    causeOf(() => admission.admit(600_000_000, full, two[1] ?? binding(), VISITOR)),
    'active_limit',
  );
  assert.equal(
    causeOf(() => admission.admit(600_000_000, full, binding(), VISITOR)),
    'admitted',
  );
});

/** Bytes a second that a stream lets a writer write who has much: over ten seconds, to a hundredth. */
function limitIn(clock: FakeClock, stream: Duplex): number {
  let bytes = 0;
  const write = (): void => {
    do bytes += 1000;
    while (stream.write(Buffer.alloc(1000)) && bytes < 1e8);
  };
  // What an earlier call has left to be paid for.
  clock.advance(60_000);
  bytes = 0;
  stream.on('drain', write);
  write();
  const burst = bytes;
  clock.advance(10_000);
  stream.off('drain', write);
  return Math.round((bytes - burst) / 10 / 10_000) * 10_000;
}

test('RelayAdmission takes the bandwidth that was decided last, whichever client brings it', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  admission.admit(600_000_000, null, binding(), VISITOR).shape(stream);
  const other = { ...policy(), client_id: 600_000_001 };
  const share = (version: number, bytes: number, total = 1_000_000) => ({
    bandwidth_bytes_per_s: bytes,
    ...ledger({ version, total_bandwidth_bytes_per_s: total }),
  });
  const steps: [ClientPolicy, expected: number][] = [
    [policy(share(5, 500_000)), 500_000],
    [{ ...other, limits: { ...other.limits, ...share(6, 100_000) } }, 100_000],
    // Late, and of a time when the ledger could not be asked: what it said of the same limit stands.
    [policy(share(5, 500_000)), 100_000],
    [{ ...policy({ ...share(0, 1_000_000) }), config_version: 2 }, 100_000],
    // Another limit.
    [{ ...policy({ ...share(0, 300_000, 300_000) }), config_version: 3 }, 300_000],
  ];
  for (const [pushed, expected] of steps) {
    admission.applyPolicy(pushed);
    assert.equal(limitIn(clock, stream), expected);
  }
});

test('RelayAdmission keeps what reports were answered against policies that know less', () => {
  const admission = new RelayAdmission(new FakeClock());
  const limited = policy({ traffic_remaining_bytes: 1000 });
  admission.applyPolicy(limited);
  admission.reported([], { allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 0 }] });
  const admit = () => admission.admit(600_000_000, limited, binding(), VISITOR);
  assert.equal(causeOf(admit), 'traffic_limit');
  // Only a share has changed: the traffic in it is as old as the policy.
  admission.applyPolicy(policy({ traffic_remaining_bytes: 1000, ...ledger({ version: 9 }) }));
  assert.equal(causeOf(admit), 'traffic_limit');
  // Another client of the user comes, with a policy that was kept while Postgres is away.
  admission.applyPolicy({ ...limited, client_id: 600_000_001 });
  assert.equal(causeOf(admit), 'traffic_limit');
  // The limit was raised.
  admission.applyPolicy({ ...policy({ traffic_remaining_bytes: 500 }), config_version: 2 });
  assert.equal(causeOf(admit), 'admitted');
});

test('RelayAdmission asks for those who are cut off, and tells their agents of the cut and of its end', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  const turns: [number[], boolean][] = [];
  admission.onTrafficTurn = (clientIds, exhausted) => turns.push([clientIds, exhausted]);
  const anonymous = { ...policy({ traffic_remaining_bytes: 100 }), user_id: null, client_id: 200_000_000 };
  admission.applyPolicy(policy({ traffic_remaining_bytes: 100 }));
  admission.applyPolicy(anonymous);
  assert.deepEqual(admission.asking(), { user_ids: [], client_ids: [] });
  const admitted = admission.admit(600_000_000, null, binding(), VISITOR);
  const theirs = admission.admit(200_000_000, anonymous, binding({ user_id: null }), VISITOR);
  admitted.meter.bytesIn += 100;
  theirs.meter.bytesIn += 100;
  clock.advance(500);
  assert.deepEqual(turns, [
    [[600_000_000], true],
    [[200_000_000], true],
  ]);
  assert.deepEqual(admission.asking(), { user_ids: [100_000_001], client_ids: [200_000_000] });
  admission.reported(admission.takeUsage(), {
    allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 0 }],
    client_allowances: [{ client_id: 200_000_000, traffic_remaining_bytes: 50 }],
  });
  assert.deepEqual(turns.slice(2), [[[200_000_000], false]]);
  // Nobody reported anything: the answer to the question alone.
  admission.reported([], { allowances: [{ user_id: 100_000_001, traffic_remaining_bytes: 7000 }] });
  assert.deepEqual(turns.slice(3), [[[600_000_000], false]]);
  assert.deepEqual(admission.asking(), { user_ids: [], client_ids: [] });
});

test('RelayAdmission asks to report while a share is used up, ever less often without an effect', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  const wanted: number[] = [];
  admission.onReportWanted = () => wanted.push(Math.round(clock.now() / 1000));
  const begun = Math.round(clock.now() / 1000);
  const share = (bytes: number, version: number) =>
    policy({ bandwidth_bytes_per_s: bytes, ...ledger({ version, total_bandwidth_bytes_per_s: 1000 }) });
  admission.applyPolicy(share(100, 1));
  const admitted = admission.admit(600_000_000, null, binding(), VISITOR);
  const move = (bytesPerS: number, seconds: number): void => {
    for (let n = 0; n < seconds; n++) {
      admitted.meter.bytesOut += bytesPerS;
      clock.advance(1000);
    }
  };
  move(50, 20);
  assert.deepEqual(wanted, []);
  move(95, 60);
  const times = wanted.splice(0).map((at) => at - begun);
  assert.ok(times.length >= 3 && times.length <= 5, times.join());
  // Its share has grown: it may be asked for more at once.
  admission.applyPolicy(share(500, 2));
  move(490, 12);
  assert.ok(wanted.length >= 1 && wanted.length <= 2, wanted.join());
  // Nothing moves any more, also without a tunnel: others may have the share. That is told once.
  const speed = admission.sharedSpeeds().get(100_000_001) ?? 0;
  assert.ok(Math.abs(speed - 490) < 100, String(speed));
  wanted.length = 0;
  admitted.release();
  clock.advance(20_000);
  assert.ok(wanted.length >= 1, 'told that it is over');
  assert.equal(admission.sharedSpeeds().get(100_000_001), 0);
  wanted.length = 0;
  clock.advance(60_000);
  assert.deepEqual([wanted, clock.pending], [[], 0]);
  // All of the limit is here: there is nothing to ask for.
  admission.applyPolicy(share(1000, 3));
  const other = admission.admit(600_000_000, null, binding(), VISITOR);
  other.meter.bytesOut += 100_000;
  clock.advance(60_000);
  assert.deepEqual(wanted, []);
});

test('RelayAdmission forgets a user when the last client has left and everything is reported', () => {
  const admission = new RelayAdmission(new FakeClock());
  const attached = new Set([600_000_000, 600_000_001]);
  admission.isAttached = (clientId) => attached.has(clientId);
  const share = { bandwidth_bytes_per_s: 10, ...ledger({ version: 1, total_bandwidth_bytes_per_s: 20 }) };
  admission.applyPolicy(policy(share));
  admission.applyPolicy({ ...policy(share), client_id: 600_000_001 });
  const leave = (clientId: number): void => {
    attached.delete(clientId);
    admission.clientLeft(clientId);
  };
  leave(600_000_000);
  assert.equal(admission.sharedSpeeds().size, 1);
  leave(600_000_001);
  assert.equal(admission.sharedSpeeds().size, 0);
  // A push that was under way when its client left.
  admission.applyPolicy(policy(share));
  admission.reported([], { allowances: [] });
  assert.equal(admission.sharedSpeeds().size, 0);
});

test('RelayAdmission tells that a share is not needed any more, also when its tunnel had closed before it was told of', () => {
  const clock = new FakeClock();
  const admission = new RelayAdmission(clock);
  let wanted = 0;
  admission.onReportWanted = () => wanted++;
  const share = { bandwidth_bytes_per_s: 100, ...ledger({ version: 1, total_bandwidth_bytes_per_s: 1000 }) };
  admission.applyPolicy(policy(share));
  const admitted = admission.admit(600_000_000, null, binding(), VISITOR);
  for (let second = 0; second < 4; second++) {
    clock.advance(1000);
    admitted.meter.bytesOut += 60;
  }
  admitted.release();
  clock.advance(500);
  assert.equal(clock.pending, 0);
  assert.ok((admission.sharedSpeeds().get(100_000_001) ?? 0) > 40);
  clock.advance(20_000);
  assert.ok(wanted >= 1);
  assert.equal(admission.sharedSpeeds().get(100_000_001), 0);
  clock.advance(1000);
  assert.equal(clock.pending, 0);
});
