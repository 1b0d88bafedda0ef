import type { Member } from '@tunnox/domain/api/namespaces';
import { sql } from 'drizzle-orm';
import type { MemberOutcome, NamespaceRepository } from '../services/namespace-ports.ts';
import type { Postgres } from './postgres.ts';
import { insertAudit, lockOwner, moment, selectPage } from './sql-parts.ts';

const MEMBER_COLUMNS = sql`s.user_id, u.username, s.role, ${moment('s.created_at')} as created_at`;

/** Members of teams; each change of them raises the team's version. */
export function createMembers(postgres: Postgres): Pick<NamespaceRepository, 'members' | 'putMember' | 'removeMember'> {
  return {
    members: (namespaceId, page) =>
      selectPage<Member>(
        postgres,
        {
          select: sql`select ${MEMBER_COLUMNS}`,
          from: sql`memberships s join users u using (user_id)`,
          where: [sql`s.namespace_id = ${namespaceId}`],
          id: sql`s.user_id`,
        },
        page,
      ),

    async putMember({ namespaceId, userId, role }, max, audit) {
      interface Found {
        owner_id: number;
        known: boolean;
        present: boolean;
        members: number;
        namespaces: number;
        member: Member | null;
      }
      const [row] = await postgres.transaction<Found>(
        // In the order in which a user's end takes them.
        lockOwner(userId, null),
        lockNamespace(namespaceId),
        sql`
        with found as (
          select n.namespace_id, n.user_id as owner_id,
            exists (select 1 from users u where u.user_id = ${userId} and u.status <> 'deleted') as known,
            exists (select 1 from memberships s where s.namespace_id = n.namespace_id and s.user_id = ${userId}) as present,
            (select count(*) from memberships s where s.namespace_id = n.namespace_id) as members,
            (select count(*) from memberships s where s.user_id = ${userId}) as namespaces
          from namespaces n where n.namespace_id = ${namespaceId}
        ), old as (
          select role from memberships where namespace_id = ${namespaceId} and user_id = ${userId}
        ), s as (
          insert into memberships (namespace_id, user_id, role)
          select namespace_id, ${userId}::bigint, ${role}::text from found
          where known and owner_id <> ${userId}
            and (present or (members < ${max.members} and namespaces < ${max.namespaces}))
          on conflict (namespace_id, user_id) do update set role = excluded.role
          returning namespace_id, user_id, role, created_at
        ), changed as (
          select s.namespace_id, f.owner_id from s, found f where (select role from old) is distinct from s.role
        ), risen as (
          update namespaces n set row_version = row_version + 1, updated_at = now() from changed
          where n.namespace_id = changed.namespace_id
        ), audited as (${insertAudit(audit, 'namespace', sql`changed.namespace_id::text`, sql`changed.owner_id`, sql`changed`, sql`(select jsonb_build_object('user_id', ${userId}::bigint, 'role', role) from old)`)})
        select found.*, (select to_jsonb(shown) from (select ${MEMBER_COLUMNS} from s join users u using (user_id)) shown) as member
        from found`,
      );
      return toOutcome(row, userId, max);
    },

    async removeMember(namespaceId, userId, audit) {
      const [row] = await postgres.transaction<{ role: Member['role']; gone: boolean | null }>(
        lockNamespace(namespaceId),
        sql`
        with found as (
          select s.role, n.user_id as owner_id from memberships s join namespaces n using (namespace_id)
          where s.namespace_id = ${namespaceId} and s.user_id = ${userId}
        ), gone as (
          delete from memberships where namespace_id = ${namespaceId} and user_id = ${userId} and role <> 'owner'
          returning namespace_id
        ), risen as (
          update namespaces n set row_version = row_version + 1, updated_at = now() from gone
          where n.namespace_id = gone.namespace_id
        ), audited as (${insertAudit(audit, 'namespace', sql`gone.namespace_id::text`, sql`found.owner_id`, sql`gone, found`, sql`jsonb_build_object('user_id', ${userId}::bigint, 'role', found.role)`)})
        select found.role, (select true from gone) as gone from found`,
      );
      if (row === undefined) return 'no_member';
      return row.role === 'owner' ? 'owner' : 'done';
    },
  };
}

/** First statement of a change of a team. */
export function lockNamespace(namespaceId: number) {
  return sql`select namespace_id from namespaces where namespace_id = ${namespaceId} for no key update`;
}

function toOutcome(
  row: { owner_id: number; known: boolean; members: number; namespaces: number; member: Member | null } | undefined,
  userId: number,
  max: { members: number; namespaces: number },
): MemberOutcome {
  if (row === undefined) return { outcome: 'no_namespace' };
  if (!row.known) return { outcome: 'no_user' };
  if (row.owner_id === userId) return { outcome: 'owner' };
  if (row.member !== null) return { outcome: 'done', member: row.member };
  const what = row.members >= max.members ? 'members' : 'namespaces';
  return { outcome: 'over_quota', what, limit: max[what], current: row[what] };
}
