CREATE TABLE "client_config_changes" (
	"client_id" bigint NOT NULL,
	"config_version" bigint NOT NULL,
	"binding_id" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "client_config_changes_client_id_config_version_binding_id_pk" PRIMARY KEY("client_id","config_version","binding_id")
);
--> statement-breakpoint
CREATE TABLE "memberships" (
	"namespace_id" bigint NOT NULL,
	"user_id" bigint NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "memberships_namespace_id_user_id_pk" PRIMARY KEY("namespace_id","user_id"),
	CONSTRAINT "memberships_role_known" CHECK ("memberships"."role" in ('owner', 'admin', 'member', 'viewer'))
);
--> statement-breakpoint
CREATE TABLE "namespaces" (
	"namespace_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "namespaces_namespace_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"name" text NOT NULL,
	"row_version" bigint DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "namespaces_name_length" CHECK (length("namespaces"."name") between 1 and 64)
);
--> statement-breakpoint
CREATE TABLE "refresh_tokens" (
	"jti" text PRIMARY KEY NOT NULL,
	"family" text NOT NULL,
	"user_id" bigint NOT NULL,
	"address" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"rotated_to" text,
	"revoked_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "client_sessions" (
	"client_id" bigint NOT NULL,
	"instance_id" text NOT NULL,
	"connect_seq" bigint NOT NULL,
	"node_id" text NOT NULL,
	"incarnation" text NOT NULL,
	"attached_at" timestamp (3) with time zone NOT NULL,
	"detached_at" timestamp (3) with time zone,
	CONSTRAINT "client_sessions_client_id_instance_id_connect_seq_pk" PRIMARY KEY("client_id","instance_id","connect_seq")
);
--> statement-breakpoint
CREATE TABLE "connection_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "connection_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tunnel_id" text NOT NULL,
	"node_id" text NOT NULL,
	"binding_id" text NOT NULL,
	"client_id" bigint NOT NULL,
	"user_id" bigint,
	"namespace_id" bigint,
	"visitor" text NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"duration_ms" bigint NOT NULL,
	"bytes_in" bigint NOT NULL,
	"bytes_out" bigint NOT NULL,
	"close_reason" text NOT NULL,
	CONSTRAINT "connection_log_counts" CHECK (least("connection_log"."duration_ms", "connection_log"."bytes_in", "connection_log"."bytes_out") >= 0)
);
--> statement-breakpoint
CREATE TABLE "user_bandwidth" (
	"user_id" bigint NOT NULL,
	"node_id" text NOT NULL,
	"taken_at" timestamp (3) with time zone NOT NULL,
	"interval_ms" bigint NOT NULL,
	"bytes" bigint NOT NULL,
	"reported_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "user_bandwidth_user_id_node_id_pk" PRIMARY KEY("user_id","node_id"),
	CONSTRAINT "user_bandwidth_counts" CHECK ("user_bandwidth"."interval_ms" > 0 and "user_bandwidth"."bytes" >= 0)
);
--> statement-breakpoint
CREATE TABLE "usage_rollups" (
	"step" text NOT NULL,
	"starts_at" timestamp (3) with time zone NOT NULL,
	"binding_id" text NOT NULL,
	"client_id" bigint NOT NULL,
	"user_id" bigint,
	"bytes_in" bigint DEFAULT 0 NOT NULL,
	"bytes_out" bigint DEFAULT 0 NOT NULL,
	"connections" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_rollups_binding_id_client_id_step_starts_at_pk" PRIMARY KEY("binding_id","client_id","step","starts_at"),
	CONSTRAINT "usage_rollups_step_known" CHECK ("usage_rollups"."step" in ('hour', 'day'))
);
--> statement-breakpoint
ALTER TABLE "signing_keys" DROP CONSTRAINT "signing_keys_purpose_known";--> statement-breakpoint
ALTER TABLE "api_keys" DROP CONSTRAINT "api_keys_scopes_known";--> statement-breakpoint
ALTER TABLE "signing_keys" ALTER COLUMN "public_jwk" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "namespace_id" bigint;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "config_problems" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "online_seconds" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "total_bytes_in" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "total_bytes_out" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "total_connections" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "suspended_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "suspended_reason" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "handover_encrypted" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "row_version" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "namespace_id" bigint;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "verified_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "proof_checked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "proof_missing_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "proof_due_at" timestamp (3) with time zone DEFAULT now();--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "ends_with_client" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "made_attached" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD COLUMN "namespace_id" bigint;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD COLUMN "expires_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD COLUMN "ends_with_client" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD COLUMN "made_attached" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "algorithm" text DEFAULT 'ES256' NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "row_version" bigint DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "client_config_changes" ADD CONSTRAINT "client_config_changes_client_id_clients_client_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("client_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_namespace_id_namespaces_namespace_id_fk" FOREIGN KEY ("namespace_id") REFERENCES "public"."namespaces"("namespace_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "namespaces" ADD CONSTRAINT "namespaces_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "refresh_tokens" ADD CONSTRAINT "refresh_tokens_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "client_config_changes_created_at" ON "client_config_changes" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "memberships_user" ON "memberships" USING btree ("user_id","namespace_id");--> statement-breakpoint
CREATE UNIQUE INDEX "memberships_owner" ON "memberships" USING btree ("namespace_id") WHERE "memberships"."role" = 'owner';--> statement-breakpoint
CREATE UNIQUE INDEX "namespaces_name" ON "namespaces" USING btree ("user_id",lower("name"));--> statement-breakpoint
CREATE INDEX "refresh_tokens_family" ON "refresh_tokens" USING btree ("family");--> statement-breakpoint
CREATE INDEX "refresh_tokens_user" ON "refresh_tokens" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "refresh_tokens_expires_at" ON "refresh_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "client_sessions_client" ON "client_sessions" USING btree ("client_id","attached_at");--> statement-breakpoint
CREATE INDEX "client_sessions_open" ON "client_sessions" USING btree ("incarnation") WHERE "client_sessions"."detached_at" is null;--> statement-breakpoint
CREATE INDEX "client_sessions_detached_at" ON "client_sessions" USING btree ("detached_at");--> statement-breakpoint
CREATE UNIQUE INDEX "connection_log_tunnel" ON "connection_log" USING btree ("tunnel_id");--> statement-breakpoint
CREATE INDEX "connection_log_user" ON "connection_log" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "connection_log_namespace" ON "connection_log" USING btree ("namespace_id","id");--> statement-breakpoint
CREATE INDEX "connection_log_client" ON "connection_log" USING btree ("client_id","id");--> statement-breakpoint
CREATE INDEX "connection_log_binding" ON "connection_log" USING btree ("binding_id","id");--> statement-breakpoint
CREATE INDEX "connection_log_started_at" ON "connection_log" USING btree ("started_at");--> statement-breakpoint
CREATE INDEX "user_bandwidth_reported_at" ON "user_bandwidth" USING btree ("reported_at");--> statement-breakpoint
CREATE INDEX "usage_rollups_client" ON "usage_rollups" USING btree ("client_id","step","starts_at");--> statement-breakpoint
CREATE INDEX "usage_rollups_user" ON "usage_rollups" USING btree ("user_id","step","starts_at");--> statement-breakpoint
CREATE INDEX "usage_rollups_time" ON "usage_rollups" USING btree ("step","starts_at");--> statement-breakpoint
ALTER TABLE "clients" ADD CONSTRAINT "clients_namespace_id_namespaces_namespace_id_fk" FOREIGN KEY ("namespace_id") REFERENCES "public"."namespaces"("namespace_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD CONSTRAINT "http_domain_mappings_namespace_id_namespaces_namespace_id_fk" FOREIGN KEY ("namespace_id") REFERENCES "public"."namespaces"("namespace_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD CONSTRAINT "port_mappings_namespace_id_namespaces_namespace_id_fk" FOREIGN KEY ("namespace_id") REFERENCES "public"."namespaces"("namespace_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "clients_namespace" ON "clients" USING btree ("namespace_id","client_id");--> statement-breakpoint
CREATE INDEX "clients_handover" ON "clients" USING btree ("upgraded_to") WHERE "clients"."handover_encrypted" is not null;--> statement-breakpoint
CREATE INDEX "http_domain_mappings_namespace" ON "http_domain_mappings" USING btree ("namespace_id","id");--> statement-breakpoint
CREATE INDEX "http_domain_mappings_proofs" ON "http_domain_mappings" USING btree ("proof_due_at") WHERE "http_domain_mappings"."proof_token" is not null;--> statement-breakpoint
CREATE INDEX "port_mappings_namespace" ON "port_mappings" USING btree ("namespace_id","mapping_id");--> statement-breakpoint
CREATE INDEX "port_mappings_expires_at" ON "port_mappings" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "reserved_names_until" ON "reserved_names" USING btree ("until");--> statement-breakpoint
CREATE INDEX "audit_log_request" ON "audit_log" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "audit_log_at" ON "audit_log" USING btree ("at");--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_algorithm_known" CHECK ("signing_keys"."algorithm" in ('ES256', 'RS256', 'HS256'));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_public" CHECK (("signing_keys"."algorithm" = 'HS256') = ("signing_keys"."public_jwk" is null));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_purpose_known" CHECK ("signing_keys"."purpose" in ('ticket', 'access', 'relay', 'session'));--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_scopes_known" CHECK ("api_keys"."scopes" <@ array['read', 'write', 'account:read', 'account:write', 'clients:read', 'clients:write', 'mappings:read', 'mappings:write', 'domains:read', 'domains:write', 'namespaces:read', 'namespaces:write', 'stats:read', 'stats:write']);--> statement-breakpoint
CREATE INDEX "port_mappings_leaving" ON "port_mappings" USING btree ("mapping_id") WHERE "port_mappings"."ends_with_client";--> statement-breakpoint
CREATE INDEX "port_mappings_endpoint" ON "port_mappings" USING btree ((("protocol" || ':' || "relay_group" || ':' || "remote_port"::text) collate "C")) WHERE "port_mappings"."source_client_id" is null;--> statement-breakpoint
CREATE INDEX "port_mappings_user_endpoint" ON "port_mappings" USING btree ("user_id",(("protocol" || ':' || "relay_group" || ':' || "remote_port"::text) collate "C")) WHERE "port_mappings"."source_client_id" is null;--> statement-breakpoint
CREATE INDEX "port_mappings_namespace_endpoint" ON "port_mappings" USING btree ("namespace_id",(("protocol" || ':' || "relay_group" || ':' || "remote_port"::text) collate "C")) WHERE "port_mappings"."source_client_id" is null and "port_mappings"."namespace_id" is not null;--> statement-breakpoint
CREATE INDEX "http_domain_mappings_leaving" ON "http_domain_mappings" USING btree ("id") WHERE "http_domain_mappings"."ends_with_client";--> statement-breakpoint
CREATE INDEX "http_domain_mappings_endpoint" ON "http_domain_mappings" USING btree (("full_domain" collate "C")) WHERE "http_domain_mappings"."verification_state" = 'verified';--> statement-breakpoint
CREATE INDEX "http_domain_mappings_user_endpoint" ON "http_domain_mappings" USING btree ("user_id",("full_domain" collate "C")) WHERE "http_domain_mappings"."verification_state" = 'verified';--> statement-breakpoint
CREATE INDEX "http_domain_mappings_namespace_endpoint" ON "http_domain_mappings" USING btree ("namespace_id",("full_domain" collate "C")) WHERE "http_domain_mappings"."verification_state" = 'verified' and "http_domain_mappings"."namespace_id" is not null;