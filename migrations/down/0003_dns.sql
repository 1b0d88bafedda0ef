-- Undoes 0003_dns.sql: docs/UPGRADING.md says what is lost. By hand, with the Worker stopped, before 0002_management.sql:
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f migrations/down/0003_dns.sql
BEGIN;
DROP TABLE domain_dns_records, dns_runs, dns_run_totals, dns_zones, provider_credentials;
DROP TABLE acme_http_tokens, certificate_orders, certificates, acme_accounts;
ALTER TABLE relay_nodes
	DROP COLUMN public_ipv4,
	DROP COLUMN public_ipv6,
	DROP COLUMN left_at,
	DROP COLUMN lost_at;
-- Its index goes with it.
ALTER TABLE http_domain_mappings
	DROP COLUMN setup,
	DROP COLUMN setup_due_at;
-- The next upgrade applies it again.
DELETE FROM drizzle.__drizzle_migrations
	WHERE created_at > (SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY id LIMIT 1 OFFSET 2);
COMMIT;
