import { type SQL, sql } from 'drizzle-orm';

/** A name that was given up waits so long until others can have it: links to it still lead to its last owner. */
export const QUARANTINE_DAYS = 7;

/** `reason` of such rows in reserved_names. */
export const QUARANTINE = 'quarantine';

/**
 * Keeps the names under base domains that are given up for their last user alone (an anonymous client's: for nobody).
 * Names of tenants' own are not kept, as only their DNS says who has them, nor are claims that were never proved.
 *
 * @param from Deleted rows of http_domain_mappings: `full_domain`, `base_domain`, `user_id`, `verification_state`.
 */
export function quarantineNames(from: SQL): SQL {
  return sql`
    insert into reserved_names (name, reason, user_id, until)
    select f.full_domain, ${QUARANTINE}, f.user_id, now() + make_interval(days => ${QUARANTINE_DAYS}) from ${from} f
    where f.base_domain is not null and f.verification_state = 'verified'
    on conflict (name) do update set user_id = excluded.user_id, until = excluded.until
    where reserved_names.reason = ${QUARANTINE}`;
}

/** The user took its name again. @param from Rows with `full_domain`. */
export function endQuarantine(from: SQL): SQL {
  return sql`delete from reserved_names r using ${from} f where r.name = f.full_domain and r.reason = ${QUARANTINE}`;
}

/** Rows of reserved_names that keep a name from this user (null: from an anonymous client), as `name`, `reason`, `until`. */
export function reservationsAgainst(fullDomain: string, subdomain: string | null, userId: number | null): SQL {
  return sql`
    select r.name, r.reason, r.until from reserved_names r
    where r.name in (${fullDomain}, ${subdomain ?? fullDomain}) and (r.until is null or r.until > now())
      and r.user_id is distinct from ${userId ?? -1}::bigint`;
}

/**
 * Second statement of a transaction that takes a name: waits for whoever is giving it up at this moment, so that the
 * next statement sees the quarantine.
 */
export function awaitHolder(fullDomain: string): SQL {
  return sql`select id from http_domain_mappings
    where full_domain = ${fullDomain} and verification_state = 'verified' for key share`;
}
