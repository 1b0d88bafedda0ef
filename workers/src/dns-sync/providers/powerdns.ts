import { z } from 'zod';
import { type BatchResult, type ProviderDriver, ProviderError, type ZoneProvider } from '../zone-provider.ts';
import { callPowerDns } from './powerdns-call.ts';
import { changedSet, idOf, nameOf, placeOf, recordsOf, type Rrset, rrsetSchema, toRequest } from './powerdns-set.ts';

const SERVER = '/api/v1/servers/localhost';
/** Sets of a request; PowerDNS has no limit of its own, its body has (2 MB by default). */
const BATCH_MAX = 500;
/** Sets that are read one by one before they are replaced; more are read with their zone. */
const SINGLE_READS_MAX = 5;
/**
 * Backends that keep comments, in which the marks stand. LMDB does in later versions; an earlier one refuses the first
 * record, and says so.
 */
const WITH_COMMENTS = /\bg(?:mysql|pgsql|sqlite3|odbc)\b|\blmdb\b/;

const zoneSchema = z.object({ name: z.string(), rrsets: z.array(rrsetSchema) });
const zoneNameSchema = z.object({ id: z.string(), name: z.string() });
const configSchema = z.array(z.object({ name: z.string(), value: z.string() }));

/**
 * PowerDNS Authoritative, HTTP API. Records of one name and type are one set that is replaced whole.
 *
 * @see https://doc.powerdns.com/authoritative/http-api/zone.html
 */
export const powerdns: ProviderDriver = {
  defaultEndpoint: null,
  callsMax: 6000,

  async findZone(access, { domain, id }, signal) {
    const config = await callPowerDns(access, 'GET', `${SERVER}/config`, configSchema, signal);
    const backend = config.find(({ name }) => name === 'launch')?.value ?? '';
    if (!WITH_COMMENTS.test(backend)) {
      throw new ProviderError(
        'zone_missing',
        `This PowerDNS keeps no comments (backend '${backend}'), so records of ours could not be told from others: use gsqlite3, gpgsql, gmysql or godbc`,
      );
    }
    if (id === null) {
      const query = `?zone=${encodeURIComponent(`${domain}.`)}`;
      const path = `${SERVER}/zones${query}`;
      const [zone] = await callPowerDns(access, 'GET', path, z.array(zoneNameSchema), signal);
      if (zone === undefined) throw new ProviderError('zone_missing', `This PowerDNS has no zone ${domain}`);
      return zone.id;
    }
    const path = `${SERVER}/zones/${encodeURIComponent(id)}?rrsets=false`;
    const zone = await callPowerDns(access, 'GET', path, zoneNameSchema, signal);
    if (nameOf(zone) === domain) return zone.id;
    throw new ProviderError('zone_missing', `The zone with this id at PowerDNS is ${nameOf(zone)}, not ${domain}`);
  },

  open(access, { providerZoneId, tag }): ZoneProvider {
    const path = `${SERVER}/zones/${encodeURIComponent(providerZoneId)}`;
    /** Sets as they were listed: with records that are switched off, which reading a name does not show. */
    let listed = new Map<string, Rrset>();

    const readZone = async (signal: AbortSignal): Promise<Rrset[]> => {
      const { rrsets } = await callPowerDns(access, 'GET', path, zoneSchema, signal);
      listed = new Map(rrsets.map((set) => [keyOf(set), set]));
      return rrsets;
    };
    const readName = async (name: string, signal: AbortSignal): Promise<Rrset[]> => {
      const query = `?rrset_name=${encodeURIComponent(`${name}.`)}`;
      const { rrsets } = await callPowerDns(access, 'GET', path + query, zoneSchema, signal);
      return rrsets.filter((set) => nameOf(set) === name);
    };
    /** The sets as they are now: what others have put into them since the list was read must not be lost. */
    const readSets = async (keys: readonly string[], names: ReadonlySet<string>, signal: AbortSignal) => {
      // Every zone has sets: without any it was not listed, and what is switched off is not known.
      if (names.size > SINGLE_READS_MAX || listed.size === 0) await readZone(signal);
      else {
        const now = new Map<string, Rrset>();
        for (const name of names) for (const set of await readName(name, signal)) now.set(keyOf(set), set);
        for (const key of keys) replaceListed(listed, key, now.get(key));
      }
      return listed;
    };

    return {
      batchMax: BATCH_MAX,

      list: async (signal) => (await readZone(signal)).flatMap((set) => recordsOf(set, tag)),

      async find(names, signal) {
        const sets = [];
        for (const name of names) sets.push(...(await readName(name, signal)));
        return sets.flatMap((set) => recordsOf(set, tag));
      },

      async applyBatch(changes, signal): Promise<BatchResult> {
        const groups = Map.groupBy(changes, (change) => keyOf(placeOf(change)));
        const names = new Set(changes.map((change) => placeOf(change).name));
        const sets = await readSets([...groups.keys()], names, signal);
        const rrsets = [...groups].map(([key, group]) => changedSet(sets.get(key), group, tag));
        await callPowerDns(access, 'PATCH', path, z.unknown(), signal, { rrsets: rrsets.map(toRequest) });
        for (const set of rrsets) {
          if (set.records.length === 0) listed.delete(keyOf(set));
          else listed.set(keyOf(set), set);
        }
        return changes.map((change) => (change.kind === 'delete' ? null : idOf(change.record)));
      },
    };
  },
};

function keyOf(set: { name: string; type: string }): string {
  return `${nameOf(set)} ${set.type}`;
}

/** The set as it was read by its name, with what was switched off when the zone was listed. */
function replaceListed(listed: Map<string, Rrset>, key: string, now: Rrset | undefined): void {
  const disabled = listed.get(key)?.records.filter((record) => record.disabled) ?? [];
  const base = now ?? (disabled.length === 0 ? undefined : listed.get(key));
  if (base === undefined) return void listed.delete(key);
  const served = now?.records ?? [];
  const off = disabled.filter(({ content }) => !served.some((record) => record.content === content));
  listed.set(key, { ...base, records: [...served.filter((record) => !record.disabled), ...off] });
}
