import { type SQL, sql } from 'drizzle-orm';

/** Teams of a user as JSON, in the shape of `Membership`; those whose owner is not active do not count. */
export function membershipsOf(userId: SQL): SQL {
  return sql`coalesce((
    select jsonb_agg(jsonb_build_object('namespaceId', s.namespace_id, 'ownerId', n.user_id, 'role', s.role))
    from memberships s join namespaces n using (namespace_id) join users o on o.user_id = n.user_id
    where s.user_id = ${userId} and o.status = 'active'), '[]')`;
}
