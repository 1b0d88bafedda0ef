import { CloudflareFault } from './cloudflare-fake-error.ts';
import { pageOfRecords, pageOfZones } from './cloudflare-fake-page.ts';
import type { CloudflareZone } from './cloudflare-fake-zone.ts';

/** What a token may do. */
export interface TokenRights {
  /** Names of zones; absent: all of them. */
  zones?: string[];
  write?: boolean;
  /** false: records only, as tokens with DNS rights alone. */
  readZones?: boolean;
}

/** Base of the API's paths. */
export const BASE = '/client/v4';
const TOKEN = /^[A-Za-z0-9_-]{40}$/;

/** What the API answers to whom, without the network around it. */
export class CloudflareApi {
  readonly tokens = new Map<string, TokenRights>();
  readonly zones: CloudflareZone[] = [];

  authenticate(authorization: string | undefined): TokenRights {
    if (authorization === undefined) {
      throw new CloudflareFault(400, 9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers');
    }
    const token = authorization.replace(/^Bearer /, '');
    if (!authorization.startsWith('Bearer ') || !TOKEN.test(token)) {
      throw new CloudflareFault(400, 6003, 'Invalid request headers', [
        { code: 6111, message: 'Invalid format for Authorization header' },
      ]);
    }
    const rights = this.tokens.get(token);
    if (rights === undefined) throw new CloudflareFault(403, 9109, 'Invalid access token');
    return rights;
  }

  answer(method: string, url: URL, rights: TokenRights, body: string, half = false): object {
    const [, zones, zoneId, kind, recordId] = url.pathname.slice(BASE.length).split('/');
    const noRoute = () =>
      new CloudflareFault(404, 7003, `Could not route to ${url.pathname}, perhaps your object identifier is invalid?`, [
        { code: 7000, message: 'No route for that URI' },
      ]);
    if (zones !== 'zones') throw noRoute();
    const sees = ({ name }: CloudflareZone) => rights.zones?.includes(name) ?? true;
    if (kind === undefined && rights.readZones === false) {
      throw new CloudflareFault(403, 9109, 'Unauthorized to access requested resource');
    }
    if (zoneId === undefined) return pageOfZones(this.zones.filter(sees), url.searchParams);
    const zone = this.zones.find(({ id }) => id === zoneId);
    if (zone === undefined) throw noRoute();
    const writes = method !== 'GET';
    if (!sees(zone) || (writes && rights.write === false))
      throw new CloudflareFault(403, 10000, 'Authentication error');
    if (kind === undefined) return { result: { id: zone.id, name: zone.name, status: 'active' } };
    if (kind !== 'dns_records') throw noRoute();
    const input = () => parseBody(body);
    switch (`${method} ${recordId === undefined ? '' : recordId === 'batch' ? 'batch' : 'id'}`) {
      case 'GET ':
        return pageOfRecords(zone.records, url.searchParams);
      case 'POST ':
        return { result: zone.create(input()) };
      case 'POST batch':
        return { result: zone.batch(input(), half) };
      case 'PATCH id':
        return { result: zone.change(recordId ?? '', input(), false) };
      case 'PUT id':
        return { result: zone.change(recordId ?? '', input(), true) };
      case 'DELETE id':
        return { result: zone.remove(recordId ?? '') };
      default:
        throw noRoute();
    }
  }
}

function parseBody(body: string): object {
  try {
    return JSON.parse(body) as object;
  } catch {
    throw new CloudflareFault(400, 9207, 'Request body is invalid.');
  }
}
