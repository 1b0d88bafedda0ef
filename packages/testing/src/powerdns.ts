import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findProgram } from './needs.ts';
import { freePortBlock } from './port-block.ts';
import { type PowerDnsAnswer, PowerDnsServer, SERVER_ID } from './powerdns-server.ts';

/** Records of one name and type, as PowerDNS's API has them: names with a trailing dot. */
export interface RrSet {
  name: string;
  type: string;
  ttl: number;
  records: { content: string; disabled: boolean }[];
  comments?: { content: string; account: string; modified_at?: number }[];
}

export interface PowerDnsFixture {
  /** The HTTP API: `http://127.0.0.1:port`, below it `/api/v1`. */
  apiUrl: string;
  /** For the header `X-API-Key`. */
  apiKey: string;
  /** Name of the one server of the API, as in `/api/v1/servers/localhost`. */
  serverId: string;
  /** DNS over UDP and TCP on 127.0.0.1. */
  dnsPort: number;
  /** Calls the API below `/api/v1/servers/localhost`, whatever it answers. */
  call: (method: string, path: string, body?: unknown) => Promise<PowerDnsAnswer>;
  /** Makes an empty zone with its SOA and NS records. @param name Without a trailing dot, as everywhere here. */
  createZone: (name: string) => Promise<void>;
  deleteZone: (name: string) => Promise<void>;
  /**
   * Puts these records in the place of those of the name and type; none: removes them. They are served at once.
   *
   * @param values Contents in zone file form; of TXT records the bare text, of CNAME and NS the name without its dot.
   */
  setRecords: (zone: string, name: string, type: string, values: string[], ttl?: number) => Promise<void>;
  /** Everything in a zone but its SOA and NS records at the apex. */
  records: (zone: string) => Promise<RrSet[]>;
  /** Kills the server; resume() starts it on the same ports with the same zones. */
  pause: () => Promise<void>;
  resume: () => Promise<void>;
  /** Stops answering without closing anything, as a network that drops packets; thaw() lets it go on. */
  freeze: () => void;
  thaw: () => void;
  /** Ends the server and removes its data. */
  stop: () => Promise<void>;
}

const STARTS_MAX = 3;
/** Where Debian's package and those of other systems have it. */
const SCHEMAS = [
  '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql',
  '/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql',
  '/usr/share/doc/pdns/schema.sqlite3.sql',
];

/** Starts a real PowerDNS with an empty database. Ask `needs('pdns_server')` before. */
export async function startPowerDns(): Promise<PowerDnsFixture> {
  const program = findProgram('pdns_server');
  if (program === null) throw new Error('Cannot start PowerDNS: pdns_server is not installed');
  const dir = await mkdtemp(join(tmpdir(), 'tunnox-powerdns-'));
  const apiKey = randomBytes(16).toString('hex');
  const removeDir = () => rm(dir, { recursive: true, force: true });
  try {
    const database = new DatabaseSync(join(dir, 'zones.sqlite3'));
    database.exec(await readSchema());
    database.close();
    for (let tries = 1; ; tries += 1) {
      const [dnsPort, apiPort] = await twoPorts();
      try {
        const server = new PowerDnsServer({ program, dir, dnsPort, apiPort, apiKey });
        await server.start();
        return toFixture(server, removeDir);
      } catch (error) {
        // Somebody may have taken a port meanwhile.
        if (tries === STARTS_MAX) throw error;
      }
    }
  } catch (error) {
    await removeDir();
    throw error;
  }
}

function toFixture(server: PowerDnsServer, removeDir: () => Promise<void>): PowerDnsFixture {
  const kill = () => server.kill();
  // A test file that is cut short must not leave its server behind.
  process.once('exit', kill);
  return {
    apiUrl: server.apiUrl,
    apiKey: server.options.apiKey,
    serverId: SERVER_ID,
    dnsPort: server.options.dnsPort,
    call: (method, path, body) => server.call(method, path, body),
    createZone: async (name) => {
      const zone = { name: `${name}.`, kind: 'Native', nameservers: [`ns1.${name}.`], soa_edit_api: 'INCREASE' };
      await server.demand('POST', '/zones', zone);
    },
    deleteZone: async (name) => {
      await server.demand('DELETE', `/zones/${name}.`);
    },
    setRecords: async (zone, name, type, values, ttl = 60) => {
      const rrset = {
        name: `${name}.`,
        type,
        ttl,
        changetype: values.length === 0 ? 'DELETE' : 'REPLACE',
        records: values.map((value) => ({ content: contentOf(type, value), disabled: false })),
      };
      await server.demand('PATCH', `/zones/${zone}.`, { rrsets: [rrset] });
    },
    records: async (zone) => {
      const { rrsets } = (await server.demand('GET', `/zones/${zone}.`)) as { rrsets: RrSet[] };
      return rrsets.filter(({ name, type }) => name !== `${zone}.` || (type !== 'SOA' && type !== 'NS'));
    },
    pause: () => server.end(),
    resume: () => server.start(),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    stop: async () => {
      process.off('exit', kill);
      await server.end();
      await removeDir();
    },
  };
}

/** Both below those that outgoing connections get, of UDP as of TCP. */
async function twoPorts(): Promise<[number, number]> {
  const first = await freePortBlock(2);
  return [first, first + 1];
}

async function readSchema(): Promise<string> {
  for (const path of SCHEMAS) {
    try {
      return await readFile(path, 'utf8');
    } catch {
      // Not here.
    }
  }
  throw new Error(`Cannot start PowerDNS: its SQLite schema is at none of ${SCHEMAS.join(', ')}`);
}

function contentOf(type: string, value: string): string {
  switch (type) {
    case 'TXT':
      return toStrings(value);
    case 'CNAME':
    case 'NS':
      return value.endsWith('.') ? value : `${value}.`;
    default:
      return value;
  }
}

/** Character-strings of up to 255 octets in quotes. */
function toStrings(text: string): string {
  const parts = text === '' ? [''] : (text.match(/[\s\S]{1,255}/g) ?? []);
  return parts.map((part) => `"${part.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(' ');
}
