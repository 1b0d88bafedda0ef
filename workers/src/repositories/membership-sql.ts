import { type SQL, sql } from 'drizzle-orm';

/** What becomes of a user's teams when it ends: its own end, others go on without it. Parts of a statement. */
export function leaveNamespaces(userId: number): SQL {
  return sql`
    teams_gone as (delete from namespaces where user_id = ${userId} returning namespace_id),
    left_teams as (
      delete from memberships where user_id = ${userId} and role <> 'owner' returning namespace_id
    ), teams_risen as (
      update namespaces n set row_version = row_version + 1, updated_at = now()
      from left_teams l where n.namespace_id = l.namespace_id and n.user_id <> ${userId}
    )`;
}

/** Whether the user owns the team; a team that is found cannot be deleted until the transaction has ended. */
export function ownsNamespace(userId: SQL, namespaceId: number | null): SQL {
  return sql`exists (
    select 1 from namespaces n where n.namespace_id = ${namespaceId} and n.user_id = ${userId} for key share)`;
}

/** Teams of a user as JSON, in the shape of `Membership`; those whose owner is not active do not count. */
export function membershipsOf(userId: SQL): SQL {
  return sql`coalesce((
    select jsonb_agg(jsonb_build_object('namespaceId', s.namespace_id, 'ownerId', n.user_id, 'role', s.role))
    from memberships s join namespaces n using (namespace_id) join users o on o.user_id = n.user_id
    where s.user_id = ${userId} and o.status = 'active'), '[]')`;
}
