import { CloudflareFault } from './cloudflare-fake-error.ts';
import type { CloudflareRecord, CloudflareZone } from './cloudflare-fake-zone.ts';

/** Records of a page: 100 unless asked, 5 000 000 at the most. */
const RECORDS = { usual: 100, min: 1, max: 5_000_000 };
/** Zones of a page. */
const ZONES = { usual: 20, min: 5, max: 50 };
const ORDERS = ['type', 'name', 'content', 'ttl', 'proxied'] as const;

/** `GET /zones/{id}/dns_records`: filters, order, page. */
export function pageOfRecords(records: CloudflareRecord[], query: URLSearchParams): object {
  const [name, type, content] = [query.get('name') ?? query.get('name.exact'), query.get('type'), query.get('content')];
  const comment = query.get('comment.contains')?.toLowerCase();
  const found = records.filter(
    (record) =>
      (name === null || record.name === name.toLowerCase()) &&
      (type === null || record.type === type) &&
      (content === null || record.content === content) &&
      (comment === undefined || (record.comment ?? '').toLowerCase().includes(comment)),
  );
  const wish = query.get('order') ?? 'type';
  const order = ORDERS.find((one) => one === wish);
  if (order === undefined) throw new CloudflareFault(400, 1004, `Invalid order '${wish}'`);
  const sign = query.get('direction') === 'desc' ? -1 : 1;
  const key = (record: CloudflareRecord) => `${String(record[order])} ${record.id}`;
  const sorted = found.toSorted((a, b) => (key(a) < key(b) ? -sign : sign));
  return page(sorted, query, RECORDS);
}

/** `GET /zones`: by name. */
export function pageOfZones(zones: CloudflareZone[], query: URLSearchParams): object {
  const name = query.get('name');
  const found = zones.filter((zone) => name === null || zone.name === name);
  return page(
    found.map((zone) => ({ id: zone.id, name: zone.name, status: 'active', type: 'full' })),
    query,
    ZONES,
  );
}

function page(items: object[], query: URLSearchParams, limits: { usual: number; min: number; max: number }): object {
  const number = (text: string | null, usual: number, min: number, max: number) => {
    if (text === null) return usual;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new CloudflareFault(400, 1004, `Invalid page '${text}': must be between ${min} and ${max}`);
  };
  const size = number(query.get('per_page'), limits.usual, limits.min, limits.max);
  const at = number(query.get('page'), 1, 1, Number.MAX_SAFE_INTEGER);
  const result = items.slice((at - 1) * size, at * size);
  const total_pages = Math.ceil(items.length / size);
  return {
    result,
    result_info: { page: at, per_page: size, count: result.length, total_count: items.length, total_pages },
  };
}
