import { sql } from 'drizzle-orm';
import type { MetricFamily, MetricsRepository, Sample } from '../services/metrics-service.ts';
import { CALL_WINDOW } from './dns-credential-repository.ts';
import type { Postgres } from './postgres.ts';

interface RecordCount {
  zone: string;
  zone_id: number;
  status: string;
  count: number;
}

interface RunTotal {
  zone: string;
  zone_id: number;
  kind: string;
  status: string;
  runs: number;
  provider_calls: number;
  failed_records: number;
  seconds: number;
}

interface ZoneState {
  zone: string;
  zone_id: number;
  oldest_due_s: number;
  is_well: boolean;
  full_pass_ago_s: number | null;
}

interface CredentialCalls {
  credential_id: number;
  provider: string;
  calls: number;
  blocked_s: number;
}

/** Zones, records, runs and calls, of all tenants. */
export function createDnsMetricsRepository(postgres: Postgres): MetricsRepository {
  return {
    async collect() {
      const [records, totals, zones, credentials] = await Promise.all([
        postgres.query<RecordCount>(sql`
          select z.domain as zone, z.zone_id,
            case when r.desired_state = 'absent' then 'deleting' else r.status end as status, count(*) as count
          from domain_dns_records r join dns_zones z using (zone_id) group by 1, 2, 3 order by 2, 3`),
        postgres.query<RunTotal>(sql`
          select z.domain as zone, t.* from dns_run_totals t join dns_zones z using (zone_id) order by zone_id, kind, status`),
        postgres.query<ZoneState>(sql`
          select z.domain as zone, z.zone_id, z.status <> 'error' as is_well,
            extract(epoch from now() - z.full_pass_at)::float8 as full_pass_ago_s,
            greatest(0, coalesce(extract(epoch from now() - (select min(r.next_retry_at) from domain_dns_records r
              where r.zone_id = z.zone_id and r.next_retry_at is not null)), 0))::float8 as oldest_due_s
          from dns_zones z order by z.zone_id`),
        postgres.query<CredentialCalls>(sql`
          select c.credential_id, c.provider,
            case when c.window_started_at > now() - ${CALL_WINDOW} then c.window_calls else 0 end as calls,
            greatest(0, coalesce(extract(epoch from c.blocked_until - now()), 0))::float8 as blocked_s
          from provider_credentials c order by c.credential_id`),
      ]);
      return [...recordFamilies(records), ...runFamilies(totals), ...zoneFamilies(zones), ...callFamilies(credentials)];
    },
  };
}

function recordFamilies(records: RecordCount[]): MetricFamily[] {
  const samples = records.map((row) => ({ labels: { ...zoneOf(row), status: row.status }, value: row.count }));
  return [gauge('tunnox_dns_records', 'Records by status; deleting are those that shall be absent.', samples)];
}

function runFamilies(totals: RunTotal[]): MetricFamily[] {
  const samples = (what: 'runs' | 'provider_calls' | 'failed_records' | 'seconds'): Sample[] =>
    totals.map((row) => ({ labels: { ...zoneOf(row), kind: row.kind, status: row.status }, value: row[what] }));
  return [
    counter('tunnox_dns_runs_total', 'Runs over zones that have ended, by their outcome.', samples('runs')),
    counter('tunnox_dns_provider_calls_total', "Calls of providers' APIs by runs.", samples('provider_calls')),
    counter('tunnox_dns_run_seconds_total', 'Time that runs have taken.', samples('seconds')),
    counter('tunnox_dns_record_errors_total', 'Records that a run could not bring about.', samples('failed_records')),
  ];
}

function zoneFamilies(zones: ZoneState[]): MetricFamily[] {
  const each = (value: (row: ZoneState) => number | null): Sample[] =>
    zones.flatMap((row) => {
      const number = value(row);
      return number === null ? [] : [{ labels: zoneOf(row), value: number }];
    });
  return [
    gauge(
      'tunnox_dns_oldest_due_seconds',
      'How long the longest waiting record of a zone has been due; 0: none is.',
      each((row) => row.oldest_due_s),
    ),
    gauge(
      'tunnox_dns_zone_up',
      '1: the last run found the provider well. 0: it did not.',
      each((row) => Number(row.is_well)),
    ),
    gauge(
      'tunnox_dns_full_pass_age_seconds',
      'Time since the last pass over the whole zone.',
      each((row) => row.full_pass_ago_s),
    ),
  ];
}

function callFamilies(credentials: CredentialCalls[]): MetricFamily[] {
  const each = (what: 'calls' | 'blocked_s'): Sample[] =>
    credentials.map((row) => ({
      labels: { credential_id: String(row.credential_id), provider: row.provider },
      value: row[what],
    }));
  return [
    gauge('tunnox_dns_credential_window_calls', 'Calls of the running five minutes.', each('calls')),
    gauge('tunnox_dns_credential_blocked_seconds', 'How long the provider asks to wait yet.', each('blocked_s')),
  ];
}

function zoneOf({ zone, zone_id }: { zone: string; zone_id: number }): Record<string, string> {
  return { zone, zone_id: String(zone_id) };
}

function gauge(name: string, help: string, samples: Sample[]): MetricFamily {
  return { name, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: Sample[]): MetricFamily {
  return { name, type: 'counter', help, samples };
}
