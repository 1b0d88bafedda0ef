import type {
  ClientStats,
  DomainStats,
  MappingStats,
  SystemStats,
  TimeSeries,
  TimeSeriesQuery,
  UserStats,
} from '@tunnox/domain/api/stats';
import type { PresenceReader } from './ports.ts';
import { type Caller, notFound, refuseClients, requireOperator, requireVisibleUser, tenantOf } from './principal.ts';
import type { BindingCounts, SeriesOf, StatsRepository } from './stats-ports.ts';
import { seriesWindow, type SeriesWindow, toTimeSeries } from './time-series.ts';

export interface StatsServiceDeps {
  stats: StatsRepository;
  presences: PresenceReader;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** So many owners are asked where their clients are; whoever has more is counted by the sessions that are open. */
const PRESENCES_MAX = 500;

/** What was used, and what is there now. */
export class StatsService {
  readonly #deps: StatsServiceDeps;

  constructor(deps: StatsServiceDeps) {
    this.#deps = deps;
  }

  /** All that is on the user's quota, whichever team it is in. */
  async user(caller: Caller, userId: number, query: TimeSeriesQuery): Promise<UserStats> {
    refuseClients(caller);
    requireVisibleUser(caller, userId);
    const window = this.#window(query);
    const { stats, presences } = this.#deps;
    const ids = await stats.clientIdsOf(userId, PRESENCES_MAX + 1);
    if (ids === null) throw notFound('user', userId);
    const online = ids.length > PRESENCES_MAX ? null : [...(await presences.read(ids)).keys()];
    const [counts, series] = await Promise.all([
      stats.user(userId, online),
      this.#series({ kind: 'user', userId }, window),
    ]);
    return { user_id: userId, ...counts, series };
  }

  async client(caller: Caller, clientId: number, query: TimeSeriesQuery): Promise<ClientStats> {
    const window = this.#window(query);
    const counts = await this.#deps.stats.client(clientId, tenantOf(caller.principal));
    if (counts === null) throw notFound('client', clientId);
    const { enabled_mappings, ...totals } = counts;
    const [presences, series] = await Promise.all([
      this.#deps.presences.read([clientId]),
      this.#series({ kind: 'client', clientId }, window),
    ]);
    const active = presences.has(clientId) ? enabled_mappings : 0;
    return { client_id: clientId, ...totals, active_mappings: active, series };
  }

  async mapping(caller: Caller, mappingId: number, query: TimeSeriesQuery): Promise<MappingStats> {
    const window = this.#window(query);
    const counts = await this.#deps.stats.mapping(mappingId, tenantOf(caller.principal));
    if (counts === null) throw notFound('mapping', mappingId);
    return { mapping_id: mappingId, ...(await this.#binding(counts, `mapping:${mappingId}`, window)) };
  }

  async domain(caller: Caller, domainId: number, query: TimeSeriesQuery): Promise<DomainStats> {
    const window = this.#window(query);
    const counts = await this.#deps.stats.domain(domainId, tenantOf(caller.principal));
    if (counts === null) throw notFound('domain', domainId);
    return { domain_id: domainId, ...(await this.#binding(counts, `domain:${domainId}`, window)) };
  }

  async system(caller: Caller, query: TimeSeriesQuery): Promise<SystemStats> {
    requireOperator(caller);
    const window = this.#window(query);
    const [counts, series] = await Promise.all([this.#deps.stats.system(), this.#series({ kind: 'system' }, window)]);
    return { ...counts, series };
  }

  async #binding(
    { enabled, client_ids, ...totals }: BindingCounts,
    bindingId: string,
    window: SeriesWindow | null,
  ): Promise<Omit<BindingCounts, 'enabled' | 'client_ids'> & { active: boolean; series: TimeSeries | null }> {
    const [presences, series] = await Promise.all([
      enabled ? this.#deps.presences.read(client_ids) : new Map<number, unknown>(),
      this.#series({ kind: 'binding', bindingId }, window),
    ]);
    return { ...totals, active: presences.size > 0, series };
  }

  #window(query: TimeSeriesQuery): SeriesWindow | null {
    return seriesWindow(query, this.#deps.now());
  }

  async #series(of: SeriesOf, window: SeriesWindow | null): Promise<TimeSeries | null> {
    return window === null ? null : toTimeSeries(window, await this.#deps.stats.series(of, window));
  }
}
