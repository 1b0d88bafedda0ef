// Secrets are compared in constant time, in one place: workers/src/services/secret.ts. This reads the Worker's source for
// comparisons of another kind, and shows that it would find them.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import ts from 'typescript';

const SOURCE = new URL('../workers/src/', import.meta.url);
const HELPER = 'services/secret.ts';

/** A value with such a name is a secret, or what proves one. */
const SECRET =
  /secret|password|hash|token|digest|signature|(?:^|[a-z_])(?:code|key|proof)$|^(?:code|key|proof|mac|jti|nonce)$/i;

/** Comparisons of values with such names that are none of secrets; each with its reason. */
const ALLOWED = new Map([
  ['services/domain-proof.ts: value.trim() === token', 'it stands in a public TXT record, for everybody to read'],
  ['dns-sync/zone-run.ts: confirm !== planHash', 'the hash of a plan is shown to whoever may confirm it'],
]);

const EQUALITY = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

/** Comparisons in a file of TypeScript that tell by their time how much of a secret is right. */
function findComparisons(text) {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isBinaryExpression(node) && EQUALITY.has(node.operatorToken.kind)) {
      if (![node.left, node.right].some(isHarmless) && [node.left, node.right].some(isSecret)) {
        found.push(node.getText());
      }
    }
    if (ts.isSwitchStatement(node) && isSecret(node.expression)) {
      const cases = node.caseBlock.clauses.filter((one) => ts.isCaseClause(one) && !isHarmless(one.expression));
      if (cases.length > 0) found.push(`switch (${node.expression.getText()})`);
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression: value, name } = node.expression;
      const compares = ['equals', 'compare', 'localeCompare', 'startsWith', 'endsWith'].includes(name.text);
      const given = node.arguments.some((one) => !isHarmless(one)) && [value, ...node.arguments].some(isSecret);
      if (compares && given) found.push(node.getText());
    }
    if (ts.isIdentifier(node) && node.text === 'timingSafeEqual') found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Comparing with a constant says nothing of a secret; nor does a length or a type. */
function isHarmless(node) {
  const inner = unwrap(node);
  if (ts.isLiteralExpression(inner) || ts.isTypeOfExpression(inner) || ts.isPrefixUnaryExpression(inner)) return true;
  if ([ts.SyntaxKind.NullKeyword, ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword].includes(inner.kind))
    return true;
  if (ts.isIdentifier(inner)) return inner.text === 'undefined' || /^[A-Z][A-Z0-9_]+$/.test(inner.text);
  return ts.isPropertyAccessExpression(inner) && ['length', 'size'].includes(inner.name.text);
}

/** Whether the value's own name, or that of the function that makes it, is a secret's. */
function isSecret(node) {
  const inner = unwrap(node);
  if (ts.isIdentifier(inner)) return SECRET.test(inner.text);
  if (ts.isPropertyAccessExpression(inner)) return SECRET.test(inner.name.text);
  if (ts.isElementAccessExpression(inner)) {
    return ts.isStringLiteral(inner.argumentExpression) && SECRET.test(inner.argumentExpression.text);
  }
  if (ts.isCallExpression(inner)) {
    const { expression } = inner;
    // hash.toString('hex'), digest(text), await sha256Hex(text)
    if (ts.isPropertyAccessExpression(expression) && isSecret(expression.expression)) return true;
    const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
    return SECRET.test(name) || /sha\d+|hmac/i.test(name);
  }
  if (ts.isTemplateExpression(inner)) return inner.templateSpans.some(({ expression }) => isSecret(expression));
  if (ts.isBinaryExpression(inner) && inner.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return [inner.left, inner.right].some(isSecret);
  }
  return false;
}

function unwrap(node) {
  let inner = node;
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isAwaitExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isNonNullExpression(inner)
  ) {
    inner = inner.expression;
  }
  return inner;
}

test('findComparisons() finds planted ones, and only these', () => {
  const bad = [
    'if (token === this.#operatorKey) return;',
    'const ok = row.auth_code_hash !== hash;',
    'const ok = (await sha256Hex(code)) === row.stored;',
    "const ok = headers['token'] == given;",
    'const ok = Buffer.from(given).equals(password);',
    "const ok = digest.toString('hex') === given;",
    "const ok = 'Bearer ' + apiKey === authorization;",
    'const ok = `Bearer ${apiKey}` === authorization;',
    'const ok = given.localeCompare(secret) === 0;',
    'switch (proof) { case expected: break; }',
    'const ok = timingSafeEqual(a, b);',
  ];
  for (const line of bad) assert.equal(findComparisons(line).length > 0, true, line);
  const good = [
    'if (token === undefined) return;',
    "if (error.code === 'not_found') return;",
    'if (a.length === token.length) return;',
    'if (error.code === FOREIGN_KEY_VIOLATION) return;',
    "if (typeof hash === 'string') return;",
    'if (sameSecret(token, expected)) return;',
    'if (user.id === other.id) return;',
    "if (token.startsWith('tnx_')) return;",
  ];
  for (const line of good) assert.deepEqual(findComparisons(line), [], line);
});

test('no secret, hash, token, code or key is compared elsewhere than in the one helper', async () => {
  const files = (await readdir(SOURCE, { recursive: true })).filter((path) => /(?<!\.test)\.ts$/.test(path));
  assert.ok(files.length > 100 && files.includes(HELPER), `${files.length} files`);
  const unused = new Set(ALLOWED.keys());
  const found = [];
  for (const path of files.filter((one) => one !== HELPER)) {
    for (const comparison of findComparisons(await readFile(new URL(path, SOURCE), 'utf8'))) {
      const known = `${path}: ${comparison}`;
      unused.delete(known);
      if (!ALLOWED.has(known)) found.push(known);
    }
  }
  assert.deepEqual(found, [], `compare with sameSecret() of ${HELPER}, or allow it with its reason`);
  assert.deepEqual([...unused], [], 'allowed comparisons that are gone');
});
