/**
 * The generator says of a component or null that it is both a component and an object or null, which null is not.
 *
 * @see https://github.com/asteasolutions/zod-to-openapi
 */
export function withNullableReferences<Node>(node: Node): Node {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(withNullableReferences) as Node;
  const mapped = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withNullableReferences(value)]));
  const [first, second, ...others] = (Array.isArray(mapped['allOf']) ? mapped['allOf'] : []) as Record<
    string,
    unknown
  >[];
  const { type, ...words } = second ?? {};
  if (first?.['$ref'] === undefined || others.length > 0 || !Array.isArray(type) || !type.includes('null')) {
    return mapped as Node;
  }
  const { allOf: _, ...rest } = mapped;
  return { ...rest, ...words, anyOf: [first, { type: 'null' }] } as Node;
}
