import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@tunnox/testing/fake-clock';
import { ChallengeAnswers, challengeToken } from './challenge-answers.ts';

const TOKEN = 'abcdefghijklmnop';

test('challengeToken() takes nothing but a whole path with a token', () => {
  assert.equal(challengeToken(`/.well-known/acme-challenge/${TOKEN}`), TOKEN);
  for (const path of [
    '',
    '/',
    `/.well-known/acme-challenge/`,
    '/.well-known/acme-challenge/short',
    `/.well-known/acme-challenge/${TOKEN}/x`,
    `/.well-known/acme-challenge/${TOKEN}?a`,
    `/.well-known/acme-challenge/${TOKEN}%2e`,
    `/x/.well-known/acme-challenge/${TOKEN}`,
    `/.well-known/acme-challenge/${'a'.repeat(129)}`,
  ]) {
    assert.equal(challengeToken(path), null, path);
  }
});

function answers(ask: (token: string, host: string) => Promise<string | null>) {
  const clock = new FakeClock();
  return { clock, challenges: new ChallengeAnswers({ clock, ask }) };
}

test('ChallengeAnswers asks once a second for a token of a host', async () => {
  const asked: string[] = [];
  const { clock, challenges } = answers(async (token, host) => {
    asked.push(`${host} ${token}`);
    return `${token}.key`;
  });
  assert.deepEqual(await Promise.all([challenges.find(TOKEN, 'a.example'), challenges.find(TOKEN, 'a.example')]), [
    `${TOKEN}.key`,
    `${TOKEN}.key`,
  ]);
  await challenges.find(TOKEN, 'b.example');
  assert.equal(asked.length, 2);
  clock.advance(1000);
  await challenges.find(TOKEN, 'a.example');
  assert.equal(asked.length, 3);
});

test('ChallengeAnswers says nothing when nobody can be asked', async () => {
  const { challenges } = answers(() => Promise.reject(new Error('away')));
  assert.equal(await challenges.find(TOKEN, 'a.example'), null);
});

test('ChallengeAnswers asks for a bounded number at a time, and for one host for few', async () => {
  const waiting: (() => void)[] = [];
  const { challenges } = answers(() => new Promise((resolve) => waiting.push(() => resolve('x'))));
  const token = (index: number) => `${TOKEN}${index}`;
  const flood = Array.from({ length: 50 }, (_, index) => challenges.find(token(index), 'a.example'));
  assert.equal(waiting.length, 8);
  const other = challenges.find(TOKEN, 'b.example');
  assert.equal(waiting.length, 9);
  for (let host = 0; host < 100; host += 1) void challenges.find(TOKEN, `${host}.example`);
  assert.equal(waiting.length, 64);
  for (const end of waiting) end();
  assert.equal(await other, 'x');
  assert.equal((await Promise.all(flood)).filter((answer) => answer === null).length, 42);
  void challenges.find(token(99), 'a.example');
  assert.equal(waiting.length, 65);
});
