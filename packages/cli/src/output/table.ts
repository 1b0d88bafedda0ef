import Table from 'cli-table3';

/** No lines: what is printed can be cut, sorted and searched by other programs. */
const CHARS = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
};

/** Rows below a line of heads, in columns; numbers stand to the right. */
export function tableLines(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const table = new Table({
    head: heads.map((head) => head.toUpperCase()),
    chars: CHARS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colAligns: heads.map((_, column) => (rows.every((row) => typeof row[column] === 'number') ? 'right' : 'left')),
  });
  table.push(...rows.map((row) => row.map((cell) => oneLine(String(cell)))));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** What others have named must not move the cursor or colour the terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ');
}
