import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeAnswer, encodeQuery, type RecordType, RECORD_TYPES } from './dns-message.ts';
import { decodeDnsName, encodeDnsName } from './dns-name.ts';

/** A query and an answer to it as a name server writes them: owners compressed to a pointer to the question. */
function exchange(type: RecordType, records: { type: number; data: number[]; class?: number }[], flags = 0x8180) {
  const query = { id: 0x1234, name: '_tunnox.shop.customer.example', type };
  const question = encodeQuery(query.id, query.name, type) ?? assert.fail();
  const answer = [...question];
  answer[2] = flags >> 8;
  answer[3] = flags & 0xff;
  answer[7] = records.length;
  for (const record of records) {
    const { data } = record;
    answer.push(
      0xc0,
      12,
      0,
      record.type,
      0,
      record.class ?? 1,
      0,
      0,
      0,
      60,
      data.length >> 8,
      data.length & 0xff,
      ...data,
    );
  }
  return { query, question, answer: Uint8Array.from(answer) };
}

const strings = (...texts: string[]) => texts.flatMap((text) => [text.length, ...Buffer.from(text)]);

test('encodeQuery() asks for one name with recursion', () => {
  const bytes = encodeQuery(0xabcd, 'a.bc', 'TXT');
  assert.deepEqual([...(bytes ?? [])], [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 2, 98, 99, 0, 0, 16, 0, 1]);
  for (const name of ['', 'a..b', 'a.', `${'a'.repeat(64)}.b`, Array(128).fill('a').join('.'), 'ä.b', 'a b.c']) {
    assert.equal(encodeQuery(1, name, 'TXT'), null, name);
  }
});

test('decodeAnswer() joins the strings of a TXT record and leaves other records out', () => {
  const { query, answer } = exchange('TXT', [
    { type: 16, data: strings('tunnox-verify=', 'abc') },
    { type: 46, data: [1, 2, 3] },
    { type: 16, data: strings('chaos'), class: 3 },
    { type: 16, data: [] },
  ]);
  assert.deepEqual(decodeAnswer(answer, query), {
    rcode: 'NOERROR',
    records: [
      { type: 'TXT', name: query.name, text: 'tunnox-verify=abc' },
      { type: 'TXT', name: query.name, text: '' },
    ],
  });
});

test('decodeAnswer() reads compressed CNAME targets, in lower case', () => {
  // TOKEN, then a pointer to `customer.example` in the question: 12 + 8 (_tunnox) + 5 (shop).
  const { query, answer } = exchange('CNAME', [{ type: 5, data: [...strings('TOKEN'), 0xc0, 25] }], 0x8183);
  assert.deepEqual(decodeAnswer(answer, query), {
    rcode: 'NXDOMAIN',
    records: [{ type: 'CNAME', name: query.name, target: 'token.customer.example' }],
  });
});

test('decodeAnswer() takes the question in whatever case it comes back', () => {
  const { query, answer } = exchange('TXT', [{ type: 16, data: strings('x') }]);
  assert.equal(decodeAnswer(answer, { ...query, name: query.name.toUpperCase() })?.records.length, 1);
});

test('decodeAnswer() refuses what is no answer to the query', () => {
  const { query, question, answer } = exchange('TXT', [{ type: 16, data: strings('x') }]);
  const changed = (at: number, value: number) => Uint8Array.from(answer.with(at, value));
  const table: [string, Uint8Array, object?][] = [
    ['the query itself', question],
    ['another id', answer, { id: 0x1235 }],
    ['another name', answer, { name: '_tunnox.shop.customer.exampla' }],
    ['another type', answer, { type: 'CNAME' }],
    ['another class', changed(question.length - 1, 3)],
    ['truncated by flag', changed(2, 0x83)],
    ['another opcode', changed(2, 0xa9)],
    ['two questions', changed(5, 2)],
    ['no question', changed(5, 0)],
    ['fewer records than it says', changed(7, 2)],
    ['a record longer than the message', changed(answer.length - 3, 200)],
    ['a string longer than its record', changed(answer.length - 2, 200)],
    ['nothing', new Uint8Array()],
    ['half a header', answer.subarray(0, 11)],
  ];
  for (const [what, message, other] of table) {
    assert.equal(decodeAnswer(message, { ...query, ...other }), null, what);
  }
  for (let length = 0; length < answer.length; length += 1) {
    assert.equal(decodeAnswer(answer.subarray(0, length), query), null, `cut after ${length}`);
  }
});

test('decodeAnswer() reads nothing beyond a record: a target that ends later or sooner is refused', () => {
  const { query, answer } = exchange('CNAME', [{ type: 5, data: [...strings('a'), 0, 7] }]);
  assert.equal(decodeAnswer(answer, query), null);
  const short = exchange('CNAME', [{ type: 5, data: [5, 97, 97] }]);
  assert.equal(decodeAnswer(short.answer, short.query), null);
});

test('decodeAnswer() ends and does not throw, whatever comes', () => {
  const valid = exchange('TXT', [
    { type: 16, data: strings('a', 'b') },
    { type: 5, data: [...strings('c'), 0xc0, 12] },
  ]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeAnswer(bytes, valid.query);
    }),
  );
  const change = fc.tuple(fc.nat(valid.answer.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      const bytes = Uint8Array.from(valid.answer);
      for (const [at, value] of changes) bytes[at] = value;
      const decoded = decodeAnswer(bytes, valid.query);
      for (const record of decoded?.records ?? []) assert.ok(record.type in RECORD_TYPES);
    }),
    { numRuns: 2000 },
  );
});

test('decodeDnsName() follows pointers backwards only', () => {
  const circle = Uint8Array.from([1, 97, 0xc0, 0]);
  assert.equal(decodeDnsName(circle, 0), null);
  assert.equal(decodeDnsName(Uint8Array.from([0xc0, 0]), 0), null);
  assert.equal(decodeDnsName(Uint8Array.from([0xc0, 2, 1, 97, 0]), 0), null);
  assert.deepEqual(decodeDnsName(Uint8Array.from([1, 97, 0, 0xc0, 0]), 3), { name: 'a', next: 5 });
  assert.equal(decodeDnsName(Uint8Array.from([0x40, 97, 0]), 0), null);
});

test('decodeDnsName() cannot be made to read a name longer than there may be', () => {
  const labels = Array.from({ length: 127 }, () => [1, 97]).flat();
  assert.equal(decodeDnsName(Uint8Array.from([...labels, 0]), 0)?.name.length, 253);
  assert.equal(decodeDnsName(Uint8Array.from([1, 97, ...labels, 0]), 0), null);
});

test('decodeDnsName() reads what encodeDnsName() has written', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 6 }), fc.uint8Array({ maxLength: 20 }), (labels, before) => {
      const name = labels.join('.');
      const encoded = encodeDnsName(name);
      if (encoded === null) return assert.ok(name.length > 253);
      const message = Uint8Array.from([...before, ...encoded, 7]);
      assert.deepEqual(decodeDnsName(message, before.length), { name, next: before.length + encoded.length });
    }),
  );
});
