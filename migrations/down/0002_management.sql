-- Undoes 0002_management.sql: docs/UPGRADING.md says what is lost. By hand, with the Worker stopped:
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f migrations/down/0002_management.sql
BEGIN;
-- Rows that 0.1.0 cannot have.
DELETE FROM signing_keys WHERE purpose = 'session' OR algorithm <> 'ES256';
-- Routes: without their ends they would stay for ever.
DELETE FROM port_mappings WHERE ends_with_client OR expires_at IS NOT NULL;
DELETE FROM http_domain_mappings WHERE ends_with_client OR expires_at IS NOT NULL AND user_id IS NOT NULL;
DELETE FROM api_keys WHERE NOT scopes <@ array['read', 'write'];
ALTER TABLE clients
	DROP COLUMN namespace_id,
	DROP COLUMN config_problems,
	DROP COLUMN online_seconds,
	DROP COLUMN total_bytes_in,
	DROP COLUMN total_bytes_out,
	DROP COLUMN total_connections,
	DROP COLUMN suspended_at,
	DROP COLUMN suspended_reason,
	DROP COLUMN handover_encrypted,
	DROP COLUMN row_version;
ALTER TABLE http_domain_mappings
	DROP COLUMN namespace_id,
	DROP COLUMN verified_at,
	DROP COLUMN proof_checked_at,
	DROP COLUMN proof_missing_since,
	DROP COLUMN proof_due_at,
	DROP COLUMN ends_with_client,
	DROP COLUMN made_attached;
ALTER TABLE port_mappings DROP COLUMN namespace_id, DROP COLUMN expires_at, DROP COLUMN ends_with_client,
	DROP COLUMN made_attached;
ALTER TABLE users DROP COLUMN row_version;
ALTER TABLE signing_keys
	DROP CONSTRAINT signing_keys_purpose_known,
	DROP COLUMN algorithm,
	ALTER COLUMN public_jwk SET NOT NULL,
	ADD CONSTRAINT signing_keys_purpose_known CHECK (purpose in ('ticket', 'access', 'relay'));
ALTER TABLE api_keys
	DROP CONSTRAINT api_keys_scopes_known,
	ADD CONSTRAINT api_keys_scopes_known CHECK (scopes <@ array['read', 'write']);
DROP TABLE client_config_changes, client_sessions, connection_log, memberships, refresh_tokens, usage_rollups,
	user_bandwidth, namespaces;
DROP INDEX reserved_names_until, audit_log_request, audit_log_at, port_mappings_endpoint, port_mappings_user_endpoint,
	http_domain_mappings_endpoint, http_domain_mappings_user_endpoint;
-- The next upgrade applies it again.
DELETE FROM drizzle.__drizzle_migrations
	WHERE created_at > (SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY id LIMIT 1 OFFSET 1);
COMMIT;
