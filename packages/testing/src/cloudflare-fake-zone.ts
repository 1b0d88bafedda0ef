import { randomBytes } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { chainedFault, CloudflareFault, dnsFault } from './cloudflare-fake-error.ts';

/** A record as the API shows it. */
export interface CloudflareRecord {
  id: string;
  type: string;
  name: string;
  content: string;
  ttl: number;
  proxied: boolean;
  proxiable: boolean;
  comment: string | null;
  tags: string[];
  settings: object;
  meta: object;
  created_on: string;
  modified_on: string;
}

/** What POST takes; PATCH takes parts of it, PUT the whole. */
export type CloudflareInput = Partial<Pick<CloudflareRecord, 'type' | 'name' | 'content' | 'ttl' | 'proxied'>> & {
  comment?: string | null;
};

export interface CloudflareBatch {
  deletes?: { id: string }[];
  patches?: (CloudflareInput & { id: string })[];
  puts?: (CloudflareInput & { id: string })[];
  posts?: CloudflareInput[];
}

export interface CloudflareZoneOptions {
  /** Records that the zone may have; the free plan has 200 today and had 1 000. */
  recordsMax?: number;
  /** Operations of a batch: 200 on the free plan, 3 500 on others. */
  batchMax?: number;
  /** How validation names its faults: the code itself, or 1004 with the code in its chain. */
  faults?: 'plain' | 'chained';
}

const TYPES = new Set(['A', 'AAAA', 'CNAME', 'TXT', 'MX', 'NS', 'CAA', 'SRV']);
const PROXIABLE = new Set(['A', 'AAAA', 'CNAME']);
const NAME_LENGTH_MAX = 253;
/** Of a comment on the free plan. */
const COMMENT_LENGTH_MAX = 100;
const TXT_LENGTH_MAX = 2048;

/** The records of one zone, with Cloudflare's rules for them. */
export class CloudflareZone {
  readonly id = randomBytes(16).toString('hex');
  readonly name: string;
  readonly #options: Required<CloudflareZoneOptions>;
  #records = new Map<string, CloudflareRecord>();

  constructor(name: string, { recordsMax = 1_000_000, batchMax = 200, faults = 'plain' }: CloudflareZoneOptions = {}) {
    this.name = name;
    this.#options = { recordsMax, batchMax, faults };
  }

  get records(): CloudflareRecord[] {
    return [...this.#records.values()];
  }

  /** What a person makes in the dashboard. */
  put(type: string, name: string, content: string, more: CloudflareInput = {}): CloudflareRecord {
    return this.create({ type, name, content, ttl: 300, ...more });
  }

  create(input: CloudflareInput): CloudflareRecord {
    if (this.#records.size >= this.#options.recordsMax) throw dnsFault(81045);
    const now = new Date().toISOString();
    const record = this.#checked({ id: randomBytes(16).toString('hex'), created_on: now, modified_on: now }, input);
    this.#records.set(record.id, record);
    return record;
  }

  change(id: string, input: CloudflareInput, whole: boolean): CloudflareRecord {
    const old = this.#records.get(id);
    if (old === undefined) throw dnsFault(81044);
    const { type, name, content, ttl, proxied, comment, created_on } = old;
    const base = whole ? {} : { type, name, content, ttl, proxied, comment };
    const head = { id, created_on, modified_on: new Date().toISOString() };
    const record = this.#checked(head, { ...base, ...input });
    this.#records.set(id, record);
    return record;
  }

  remove(id: string): { id: string } {
    if (!this.#records.delete(id)) throw dnsFault(81044);
    return { id };
  }

  /**
   * One transaction: deletes, patches, puts, posts, in this order; all of it or nothing.
   *
   * @param half Breaks it: only the first half of the operations is carried out.
   */
  batch(wish: CloudflareBatch, half = false): object {
    const { deletes = [], patches = [], puts = [], posts = [] } = wish;
    const count = deletes.length + patches.length + puts.length + posts.length;
    if (count === 0) throw new CloudflareFault(400, 9207, 'Request body is invalid.');
    if (count > this.#options.batchMax) {
      const message = `Batch has ${count} operations, the limit of this zone is ${this.#options.batchMax}.`;
      throw new CloudflareFault(400, 9207, message);
    }
    const before = new Map(this.#records);
    let left = half ? Math.floor(count / 2) : count;
    const each = <I, O>(inputs: I[], work: (input: I) => O): O[] =>
      inputs.flatMap((input) => {
        left -= 1;
        return left < 0 ? [] : [work(input)];
      });
    try {
      return {
        deletes: each(deletes, ({ id }) => this.remove(id)),
        patches: each(patches, ({ id, ...input }) => this.change(id, input, false)),
        puts: each(puts, ({ id, ...input }) => this.change(id, input, true)),
        posts: each(posts, (input) => this.create(input)),
      };
    } catch (error) {
      this.#records = before;
      throw error;
    }
  }

  #checked(
    head: Pick<CloudflareRecord, 'id' | 'created_on' | 'modified_on'>,
    { type = '', name = '', content = '', ttl = 1, proxied = false, comment = null }: CloudflareInput,
  ): CloudflareRecord {
    if (!TYPES.has(type)) throw new CloudflareFault(400, 1004, 'DNS Validation Error');
    const whole = this.#wholeName(name);
    const value = this.#contentOf(type, content);
    if (!Number.isInteger(ttl) || (ttl !== 1 && (ttl < 60 || ttl > 86_400))) throw this.#fault(9021);
    if (proxied && !PROXIABLE.has(type)) throw this.#fault(9004);
    if ((comment ?? '').length > COMMENT_LENGTH_MAX) throw this.#fault(9313);
    this.#refuseConflicts(head.id, type, whole, value);
    return {
      ...{ ...head, type, name: whole, content: value, proxied, proxiable: PROXIABLE.has(type), tags: [] },
      // A proxied record's TTL is automatic, whatever was asked for.
      ttl: proxied ? 1 : ttl,
      comment: comment === '' ? null : comment,
      ...{ settings: {}, meta: {} },
    };
  }

  #wholeName(name: string): string {
    const wish = name.toLowerCase().replace(/\.$/, '');
    const isWithin = wish === this.name || wish.endsWith(`.${this.name}`);
    const whole = wish === '@' ? this.name : isWithin ? wish : `${wish}.${this.name}`;
    const labels = whole.split('.');
    const isLabel = (label: string, index: number) =>
      /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label) || (index === 0 && label === '*');
    if (wish === '' || whole.length > NAME_LENGTH_MAX || !labels.every(isLabel)) throw this.#fault(9000);
    return whole;
  }

  #contentOf(type: string, content: string): string {
    switch (type) {
      case 'A':
        if (!isIPv4(content)) throw this.#fault(9005);
        return content;
      case 'AAAA':
        if (!isIPv6(content)) throw this.#fault(9006);
        return new URL(`http://[${content}]`).hostname.slice(1, -1);
      case 'CNAME': {
        const target = content.toLowerCase().replace(/\.$/, '');
        if (!/^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z][a-z0-9-]*$/.test(target)) throw this.#fault(9007);
        return target;
      }
      default:
        if (content === '' || content.length > TXT_LENGTH_MAX * 2) {
          throw new CloudflareFault(400, 1004, 'DNS Validation Error', [
            { code: 9207, message: `Content for ${type} record is invalid.` },
          ]);
        }
        return content;
    }
  }

  #refuseConflicts(id: string, type: string, name: string, content: string): void {
    const there = this.records.filter((record) => record.name === name && record.id !== id);
    if (there.some((record) => record.type === type && record.content === content)) throw dnsFault(81058);
    if (type === 'CNAME' && there.some((record) => PROXIABLE.has(record.type))) throw dnsFault(81053);
    if ((type === 'A' || type === 'AAAA') && there.some((record) => record.type === 'CNAME')) throw dnsFault(81054);
  }

  #fault(code: Parameters<typeof dnsFault>[0]): CloudflareFault {
    return this.#options.faults === 'chained' ? chainedFault(code) : dnsFault(code);
  }
}
