import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './logger.ts';

test('createLogger() writes JSON lines and never a secret', () => {
  const lines: string[] = [];
  const logger = createLogger({ name: 'relay', level: 'info' }, { write: (line) => lines.push(line) });
  logger.info({ ticket: 'eyJ', request: { authorization: 'Bearer x', host: 'h' } }, 'hello');
  logger.debug('not shown');
  assert.equal(lines.length, 1);
  const entry: unknown = JSON.parse(lines[0] ?? '');
  assert.partialDeepStrictEqual(entry, {
    level: 'info',
    name: 'relay',
    msg: 'hello',
    ticket: '[secret]',
    request: { authorization: '[secret]', host: 'h' },
  });
});
