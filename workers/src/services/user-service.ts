import type { Page, PageQuery } from '@tunnox/domain/api/common';
import type { CreateUser, Limits, Me, QuotaUse, SetQuota, UpdateUser, User } from '@tunnox/domain/api/users';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { auditOf } from './audit.ts';
import type { ChangeTeller } from './change-teller.ts';
import type { IfVersion } from './if-version.ts';
import type { LedgerOwners } from './ledger-ports.ts';
import { toPage, toPageRequest } from './page.ts';
import { requireOwnPassword } from './own-password.ts';
import { hashPassword, passwordHashFault } from './password.ts';
import type { PresenceReader } from './ports.ts';
import {
  type Caller,
  invalid,
  notFound,
  type Principal,
  refuseClients,
  requireOperator,
  scopesOf,
} from './principal.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { DnsOwners } from './dns-owners.ts';
import type { UserOutcome, UserRepository } from './user-ports.ts';

export interface UserServiceDeps {
  users: UserRepository;
  rateLimiter: RateLimiter;
  presences: PresenceReader;
  ledgers: Pick<LedgerOwners, 'waiting'>;
  teller: ChangeTeller;
  /** DNS records that follow domains. */
  dnsOwners: Pick<DnsOwners, 'domainsChanged'>;
}

/** So many clients are looked up at most to count what is active; beyond that, what is enabled counts. */
const PRESENCES_MAX = 500;

/** Accounts, plans and quotas. */
export class UserService {
  readonly #deps: UserServiceDeps;

  constructor(deps: UserServiceDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, body: CreateUser): Promise<User> {
    requireOperator(caller);
    const fault = body.password_hash === undefined ? null : passwordHashFault(body.password_hash);
    if (fault !== null) throw invalid('/password_hash', fault);
    const { username, email, plan = 'free' } = body;
    const passwordHash = body.password === undefined ? (body.password_hash ?? null) : await hashPassword(body.password);
    const audit = auditOf(caller, 'user.create', { after: { username, email, plan } });
    const done = demand(await this.#deps.users.create({ username, email, passwordHash, plan }, audit), body);
    return await this.#find(done.userId);
  }

  async find(caller: Caller, userId: number): Promise<User> {
    requireSelf(caller, userId);
    return await this.#find(userId);
  }

  async list(caller: Caller, query: PageQuery & { status?: User['status'] | undefined }): Promise<Page<'users', User>> {
    requireOperator(caller);
    const page = await this.#deps.users.list({ status: query.status }, toPageRequest(query));
    return toPage('users', query, page, page.rows, (user) => user.user_id);
  }

  /** Users may change their names, and their password if they know it; plan and status are for operators. */
  async update(caller: Caller, userId: number, body: UpdateUser, ifVersion: IfVersion): Promise<User> {
    requireSelf(caller, userId);
    const { username, email, password, plan, status } = body;
    if (plan !== undefined || status !== undefined) requireOperator(caller);
    if (password !== undefined) await requireOwnPassword(this.#deps, caller, userId, body.current_password);
    const before = await this.#find(userId);
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    const audit = auditOf(caller, 'user.update', {
      before: { username: before.username, email: before.email, plan: before.plan, status: before.status },
      after: { username, email, plan, status, ...(password === undefined ? {} : { password: 'changed' }) },
    });
    const change = { username, email, passwordHash, plan, status };
    const done = demand(await this.#deps.users.update(userId, change, audit, ifVersion), {
      username,
      email,
      plan,
      userId,
    });
    await this.#deps.teller.onItsWay(done.outboxIds);
    return await this.#find(userId);
  }

  async remove(caller: Caller, userId: number, ifVersion: IfVersion): Promise<void> {
    requireOperator(caller);
    const { username, email } = await this.#find(userId);
    const audit = auditOf(caller, 'user.delete', { before: { username, email } });
    const done = demand(await this.#deps.users.remove(userId, audit, ifVersion), { userId });
    await this.#deps.dnsOwners.domainsChanged(userId);
    await this.#deps.teller.onItsWay(done.outboxIds);
  }

  async quota(caller: Caller, userId: number): Promise<QuotaUse> {
    requireSelf(caller, userId);
    await this.#find(userId);
    const facts = await this.#deps.users.quota(userId);
    if (facts === null) throw notFound('user', userId);
    const ids = [...new Set(facts.enabled.flatMap(({ clientIds }) => clientIds))].slice(0, PRESENCES_MAX);
    const presences = await this.#deps.presences.read(ids);
    const known = new Set(ids);
    const active = facts.enabled.filter(({ clientIds }) => clientIds.some((id) => presences.has(id) || !known.has(id)));
    const attached = active.reduce((sum, { count }) => sum + count, 0);
    const { limits, bandwidth } = facts;
    const waiting = limits.max_active_mappings === null ? [] : await this.#deps.ledgers.waiting(userId).catch(() => []);
    const activeCount = Math.max(0, attached - waiting.length);
    return {
      user_id: userId,
      ...limits,
      current_clients: facts.clients,
      current_mappings: facts.mappings,
      current_active_mappings: activeCount,
      current_month_traffic: facts.monthTraffic,
      current_bandwidth: Math.round(bandwidth),
      clients_usage_percent: share(facts.clients, limits.max_clients),
      mappings_usage_percent: share(facts.mappings, limits.max_mappings),
      active_mappings_usage_percent: share(activeCount, limits.max_active_mappings),
      bandwidth_usage_percent: share(bandwidth, limits.total_bandwidth_limit),
      traffic_usage_percent: share(facts.monthTraffic, limits.monthly_traffic_limit),
      traffic_resets_at: nextMonth(new Date()).toISOString(),
    };
  }

  async setQuota(
    caller: Caller,
    userId: number,
    body: SetQuota,
    ifVersion: IfVersion,
  ): Promise<{ user_id: number; quota: Limits; updated_at: string }> {
    requireOperator(caller);
    const before = await this.#find(userId);
    const audit = auditOf(caller, 'quota.set', { before: before.quota, after: body });
    const done = demand(await this.#deps.users.setQuota(userId, body, audit, ifVersion), { userId });
    await this.#deps.teller.onItsWay(done.outboxIds);
    const { quota } = await this.#find(userId);
    return { user_id: userId, quota, updated_at: new Date().toISOString() };
  }

  /** The limits are the plan's again. */
  async resetQuota(
    caller: Caller,
    userId: number,
    ifVersion: IfVersion,
  ): Promise<{ user_id: number; quota: Limits; updated_at: string }> {
    requireOperator(caller);
    const before = await this.#find(userId);
    const audit = auditOf(caller, 'quota.reset', { before: before.quota, after: { plan: before.plan } });
    const done = demand(await this.#deps.users.resetQuota(userId, audit, ifVersion), { userId });
    await this.#deps.teller.onItsWay(done.outboxIds);
    const { quota } = await this.#find(userId);
    return { user_id: userId, quota, updated_at: new Date().toISOString() };
  }

  async me(caller: Caller): Promise<Me> {
    const { principal } = caller;
    const userId = principal.role === 'operator' ? null : principal.userId;
    return {
      role: principal.role,
      scopes: [...scopesOf(principal)],
      user: userId === null ? null : await this.#find(userId),
      client_id: principal.role === 'client' ? principal.clientId : null,
      namespaces: namespacesOf(principal),
    };
  }

  async #find(userId: number): Promise<User> {
    const user = await this.#deps.users.find(userId);
    if (user === null || user.status === 'deleted') throw notFound('user', userId);
    return user;
  }
}

/** @throws {TunnoxError} `not_found` for somebody else's account, `forbidden` for an agent's credential. */
export function requireSelf(caller: Caller, userId: number): void {
  if (caller.principal.role === 'operator') return;
  refuseClients(caller);
  if (caller.principal.userId !== userId) throw notFound('user', userId);
}

function demand(
  outcome: UserOutcome,
  asked: { username?: string | undefined; email?: string | undefined; plan?: string | undefined; userId?: number },
): { userId: number; outboxIds: number[] } {
  switch (outcome.outcome) {
    case 'done':
      return outcome;
    case 'username_taken':
      throw new TunnoxError('username_taken', `The user name ${asked.username} is taken`);
    case 'email_taken':
      throw new TunnoxError('email_taken', `There is a user with the address ${asked.email}`);
    case 'no_plan':
      throw invalid('/plan', `must be the name of a plan, there is none called ${asked.plan}`);
    case 'no_user':
      throw notFound('user', asked.userId ?? '');
  }
}

/** Per cent of a limit; null: there is none. */
function share(part: number, whole: number | null): number | null {
  if (whole === null) return null;
  if (whole === 0) return 100;
  return Math.round((part / whole) * 10_000) / 100;
}

/** Start of the calendar month (UTC) after `now`. */
function nextMonth(now: Date): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1));
}

function namespacesOf(principal: Principal): Me['namespaces'] {
  switch (principal.role) {
    case 'operator':
      return [];
    case 'user':
      return principal.memberships.map(({ namespaceId, role }) => ({ namespace_id: namespaceId, role }));
    case 'client':
      return principal.namespaceId === null ? [] : [{ namespace_id: principal.namespaceId, role: 'member' }];
  }
}
