import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableLines } from './table.ts';

test('tableLines() aligns columns, numbers to the right, and leaves no blanks at the ends', () => {
  assert.deepEqual(
    tableLines(
      ['id', 'name', 'clients'],
      [
        [1, 'a', 5],
        [1000, 'longer', 12],
      ],
    ),
    ['  ID  NAME    CLIENTS', '   1  a             5', '1000  longer       12'],
  );
});

test('tableLines() keeps the names of others from moving the cursor or turning the text round', () => {
  const lines = tableLines(['name'], [['\u001b[31mred\u202egnp\nsecond']]);
  assert.deepEqual(lines, ['NAME', ' [31mred gnp second']);
});
