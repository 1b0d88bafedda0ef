CREATE SEQUENCE "public"."client_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 999999999 START WITH 600000000 CACHE 1;--> statement-breakpoint
CREATE SEQUENCE "public"."mapping_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1001 CACHE 1;--> statement-breakpoint
CREATE SEQUENCE "public"."row_version_seq" INCREMENT BY 2 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 2 CACHE 1;--> statement-breakpoint
CREATE SEQUENCE "public"."user_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 100000001 CACHE 1;--> statement-breakpoint
CREATE TABLE "anonymous_creations" (
	"network" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"created" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "anonymous_creations_network_hour_pk" PRIMARY KEY("network","hour"),
	CONSTRAINT "anonymous_creations_created" CHECK ("anonymous_creations"."created" >= 1)
);
--> statement-breakpoint
CREATE TABLE "clients" (
	"client_id" bigint PRIMARY KEY DEFAULT nextval('client_id_seq') NOT NULL,
	"user_id" bigint,
	"type" text NOT NULL,
	"auth_code_hash" text NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"lifecycle" text DEFAULT 'active' NOT NULL,
	"credential_generation" integer DEFAULT 1 NOT NULL,
	"config_version" bigint DEFAULT 0 NOT NULL,
	"config_applied_version" bigint DEFAULT 0 NOT NULL,
	"last_seen_at" timestamp (3) with time zone,
	"claimed_by" bigint,
	"upgraded_to" bigint,
	"expires_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "clients_type_known" CHECK ("clients"."type" in ('managed', 'anonymous')),
	CONSTRAINT "clients_lifecycle_known" CHECK ("clients"."lifecycle" in ('active', 'disabled', 'claimed')),
	CONSTRAINT "clients_id_range" CHECK (case "clients"."type" when 'anonymous' then "clients"."client_id" between 200000000 and 299999999 else "clients"."client_id" between 600000000 and 999999999 end),
	CONSTRAINT "clients_owner" CHECK (("clients"."type" = 'anonymous') = ("clients"."user_id" is null)),
	CONSTRAINT "clients_name_length" CHECK (length("clients"."name") between 1 and 64),
	CONSTRAINT "clients_versions" CHECK ("clients"."credential_generation" >= 1 and "clients"."config_version" >= 0)
);
--> statement-breakpoint
CREATE TABLE "endpoint_upstreams" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "endpoint_upstreams_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"mapping_id" bigint,
	"domain_id" bigint,
	"client_id" bigint NOT NULL,
	"weight" integer DEFAULT 100 NOT NULL,
	"priority" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "endpoint_upstreams_one_owner" CHECK (("endpoint_upstreams"."mapping_id" is null) <> ("endpoint_upstreams"."domain_id" is null)),
	CONSTRAINT "endpoint_upstreams_range" CHECK ("endpoint_upstreams"."weight" between 0 and 1000 and "endpoint_upstreams"."priority" between 0 and 1000)
);
--> statement-breakpoint
CREATE TABLE "http_domain_mappings" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "http_domain_mappings_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint,
	"full_domain" text NOT NULL,
	"subdomain" text,
	"base_domain" text,
	"verification_state" text NOT NULL,
	"proof_token" text,
	"target_scheme" text DEFAULT 'http' NOT NULL,
	"target_host" text NOT NULL,
	"target_port" integer NOT NULL,
	"host_header" text,
	"tls_mode" text DEFAULT 'terminate' NOT NULL,
	"access_allow" text[] DEFAULT '{}' NOT NULL,
	"access_deny" text[] DEFAULT '{}' NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"total_bytes_in" bigint DEFAULT 0 NOT NULL,
	"total_bytes_out" bigint DEFAULT 0 NOT NULL,
	"total_connections" bigint DEFAULT 0 NOT NULL,
	"last_active_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"row_version" bigint DEFAULT nextval('row_version_seq') NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "http_domain_mappings_verification_known" CHECK ("http_domain_mappings"."verification_state" in ('verified', 'pending_verification')),
	CONSTRAINT "http_domain_mappings_scheme_known" CHECK ("http_domain_mappings"."target_scheme" in ('http', 'https')),
	CONSTRAINT "http_domain_mappings_tls_known" CHECK ("http_domain_mappings"."tls_mode" in ('terminate', 'passthrough', 'off')),
	CONSTRAINT "http_domain_mappings_status_known" CHECK ("http_domain_mappings"."status" in ('active', 'disabled')),
	CONSTRAINT "http_domain_mappings_target_port" CHECK ("http_domain_mappings"."target_port" between 1 and 65535),
	CONSTRAINT "http_domain_mappings_name" CHECK ("http_domain_mappings"."full_domain" = lower("http_domain_mappings"."full_domain") and length("http_domain_mappings"."full_domain") <= 253),
	CONSTRAINT "http_domain_mappings_kind" CHECK (("http_domain_mappings"."subdomain" is null) = ("http_domain_mappings"."base_domain" is null))
);
--> statement-breakpoint
CREATE TABLE "port_mappings" (
	"mapping_id" bigint PRIMARY KEY DEFAULT nextval('mapping_id_seq') NOT NULL,
	"user_id" bigint,
	"name" text DEFAULT '' NOT NULL,
	"source_client_id" bigint,
	"protocol" text NOT NULL,
	"local_port" integer,
	"relay_group" text,
	"remote_port" integer,
	"target_host" text,
	"target_port" integer,
	"secret_encrypted" text,
	"enabled" boolean DEFAULT true NOT NULL,
	"carrier" text DEFAULT 'auto' NOT NULL,
	"access_allow" text[] DEFAULT '{}' NOT NULL,
	"access_deny" text[] DEFAULT '{}' NOT NULL,
	"total_bytes_in" bigint DEFAULT 0 NOT NULL,
	"total_bytes_out" bigint DEFAULT 0 NOT NULL,
	"total_connections" bigint DEFAULT 0 NOT NULL,
	"last_active_at" timestamp (3) with time zone,
	"row_version" bigint DEFAULT nextval('row_version_seq') NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "port_mappings_protocol_known" CHECK ("port_mappings"."protocol" in ('tcp', 'udp', 'http', 'socks5')),
	CONSTRAINT "port_mappings_carrier_known" CHECK ("port_mappings"."carrier" in ('auto', 'mux', 'raw')),
	CONSTRAINT "port_mappings_local_port" CHECK ("port_mappings"."local_port" between 1 and 65535),
	CONSTRAINT "port_mappings_remote_port" CHECK ("port_mappings"."remote_port" between 1 and 65535),
	CONSTRAINT "port_mappings_target_port" CHECK ("port_mappings"."target_port" between 1 and 65535),
	CONSTRAINT "port_mappings_kind" CHECK (case when "port_mappings"."source_client_id" is null
        then "port_mappings"."protocol" in ('tcp', 'udp') and "port_mappings"."relay_group" is not null and "port_mappings"."remote_port" is not null and "port_mappings"."local_port" is null and "port_mappings"."secret_encrypted" is null
        else "port_mappings"."relay_group" is null and "port_mappings"."remote_port" is null and "port_mappings"."local_port" is not null and "port_mappings"."secret_encrypted" is not null end),
	CONSTRAINT "port_mappings_target" CHECK (("port_mappings"."protocol" = 'socks5') = ("port_mappings"."target_host" is null) and ("port_mappings"."protocol" = 'socks5') = ("port_mappings"."target_port" is null))
);
--> statement-breakpoint
CREATE TABLE "reserved_names" (
	"name" text PRIMARY KEY NOT NULL,
	"reason" text NOT NULL,
	"user_id" bigint,
	"until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "join_tokens" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "join_tokens_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" text DEFAULT '' NOT NULL,
	"hash" text NOT NULL,
	"relay_group" text NOT NULL,
	"uses_left" integer,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "join_tokens_hash_unique" UNIQUE("hash"),
	CONSTRAINT "join_tokens_uses_left" CHECK ("join_tokens"."uses_left" >= 0)
);
--> statement-breakpoint
CREATE TABLE "relay_nodes" (
	"node_id" text PRIMARY KEY NOT NULL,
	"type" text DEFAULT 'relay' NOT NULL,
	"fingerprint" text NOT NULL,
	"incarnation" text NOT NULL,
	"relay_group" text NOT NULL,
	"region" text NOT NULL,
	"public_address" text NOT NULL,
	"internal_address" text NOT NULL,
	"agent_tcp_port" integer NOT NULL,
	"agent_ws_port" integer NOT NULL,
	"http_port" integer NOT NULL,
	"https_port" integer NOT NULL,
	"bridge_port" integer NOT NULL,
	"metrics_port" integer NOT NULL,
	"public_from" integer NOT NULL,
	"public_to" integer NOT NULL,
	"version" text NOT NULL,
	"status" text NOT NULL,
	"clients" integer DEFAULT 0 NOT NULL,
	"tunnels" integer DEFAULT 0 NOT NULL,
	"cpu" double precision DEFAULT 0 NOT NULL,
	"memory_bytes" bigint DEFAULT 0 NOT NULL,
	"bandwidth_bytes_per_s" double precision DEFAULT 0 NOT NULL,
	"last_heartbeat_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "relay_nodes_id" CHECK ("relay_nodes"."node_id" ~ '^node-([0-9]{3}|1000)$'),
	CONSTRAINT "relay_nodes_type_known" CHECK ("relay_nodes"."type" in ('relay', 'center', 'edge')),
	CONSTRAINT "relay_nodes_status_known" CHECK ("relay_nodes"."status" in ('starting', 'online', 'draining', 'offline')),
	CONSTRAINT "relay_nodes_pool" CHECK ("relay_nodes"."public_from" <= "relay_nodes"."public_to" and "relay_nodes"."public_from" between 1 and 65535 and "relay_nodes"."public_to" between 1 and 65535)
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"private_key_encrypted" text NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	CONSTRAINT "signing_keys_purpose_known" CHECK ("signing_keys"."purpose" in ('ticket', 'access', 'relay')),
	CONSTRAINT "signing_keys_state_known" CHECK ("signing_keys"."state" in ('active', 'retired'))
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" bigint,
	"user_id" bigint,
	"action" text NOT NULL,
	"object_type" text NOT NULL,
	"object_id" text NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"request_id" text,
	CONSTRAINT "audit_log_actor_known" CHECK ("audit_log"."actor_type" in ('operator', 'user', 'client', 'system'))
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"principal" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"status" integer,
	"body_encrypted" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_principal_key_pk" PRIMARY KEY("principal","key")
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"binding_id" text,
	"endpoint" text,
	"version" bigint NOT NULL,
	"deleted" boolean DEFAULT false NOT NULL,
	"client_ids" bigint[] NOT NULL,
	"change" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"claimed_at" timestamp (3) with time zone,
	"delivered_at" timestamp (3) with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "outbox_kind_known" CHECK ("outbox"."kind" in ('binding_changed', 'client_changed')),
	CONSTRAINT "outbox_change_known" CHECK ("outbox"."change" in ('created', 'updated', 'disabled', 'enabled', 'deleted', 'claimed', 'rotated', 'limits', 'disconnected')),
	CONSTRAINT "outbox_shape" CHECK (case "outbox"."kind" when 'binding_changed' then "outbox"."binding_id" is not null and "outbox"."change" is null else "outbox"."binding_id" is null and "outbox"."change" is not null end)
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"name" text PRIMARY KEY NOT NULL,
	"max_clients" bigint,
	"max_mappings" bigint,
	"max_active_mappings" bigint,
	"max_connections_per_mapping" bigint,
	"total_bandwidth_limit" bigint,
	"monthly_traffic_limit" bigint,
	CONSTRAINT "plans_name" CHECK ("plans"."name" ~ '^[a-z][a-z0-9_-]{0,31}$'),
	CONSTRAINT "plans_limits" CHECK (least("plans"."max_clients", "plans"."max_mappings", "plans"."max_active_mappings", "plans"."max_connections_per_mapping", "plans"."total_bandwidth_limit", "plans"."monthly_traffic_limit") >= 0)
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "api_keys_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash"),
	CONSTRAINT "api_keys_scopes_known" CHECK ("api_keys"."scopes" <@ array['read', 'write'])
);
--> statement-breakpoint
CREATE TABLE "usage_monthly" (
	"user_id" bigint NOT NULL,
	"month" date NOT NULL,
	"bytes_in" bigint DEFAULT 0 NOT NULL,
	"bytes_out" bigint DEFAULT 0 NOT NULL,
	"connections" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_monthly_user_id_month_pk" PRIMARY KEY("user_id","month"),
	CONSTRAINT "usage_monthly_first_day" CHECK (extract(day from "usage_monthly"."month") = 1)
);
--> statement-breakpoint
CREATE TABLE "usage_reports" (
	"incarnation" text NOT NULL,
	"sequence" bigint NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "usage_reports_incarnation_sequence_pk" PRIMARY KEY("incarnation","sequence")
);
--> statement-breakpoint
CREATE TABLE "user_quotas" (
	"user_id" bigint PRIMARY KEY NOT NULL,
	"max_clients" bigint,
	"max_mappings" bigint,
	"max_active_mappings" bigint,
	"max_connections_per_mapping" bigint,
	"total_bandwidth_limit" bigint,
	"monthly_traffic_limit" bigint,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "user_quotas_limits" CHECK (least("user_quotas"."max_clients", "user_quotas"."max_mappings", "user_quotas"."max_active_mappings", "user_quotas"."max_connections_per_mapping", "user_quotas"."total_bandwidth_limit", "user_quotas"."monthly_traffic_limit") >= -1)
);
--> statement-breakpoint
CREATE TABLE "users" (
	"user_id" bigint PRIMARY KEY DEFAULT nextval('user_id_seq') NOT NULL,
	"username" text NOT NULL,
	"email" text NOT NULL,
	"password_hash" text,
	"status" text DEFAULT 'active' NOT NULL,
	"plan" text DEFAULT 'free' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_login_at" timestamp (3) with time zone,
	CONSTRAINT "users_status_known" CHECK ("users"."status" in ('active', 'disabled', 'deleted')),
	CONSTRAINT "users_username_length" CHECK (length("users"."username") between 1 and 64),
	CONSTRAINT "users_email_length" CHECK (length("users"."email") between 3 and 254)
);
--> statement-breakpoint
ALTER TABLE "clients" ADD CONSTRAINT "clients_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clients" ADD CONSTRAINT "clients_claimed_by_users_user_id_fk" FOREIGN KEY ("claimed_by") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "endpoint_upstreams" ADD CONSTRAINT "endpoint_upstreams_mapping_id_port_mappings_mapping_id_fk" FOREIGN KEY ("mapping_id") REFERENCES "public"."port_mappings"("mapping_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "endpoint_upstreams" ADD CONSTRAINT "endpoint_upstreams_domain_id_http_domain_mappings_id_fk" FOREIGN KEY ("domain_id") REFERENCES "public"."http_domain_mappings"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "endpoint_upstreams" ADD CONSTRAINT "endpoint_upstreams_client_id_clients_client_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("client_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD CONSTRAINT "http_domain_mappings_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD CONSTRAINT "port_mappings_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "port_mappings" ADD CONSTRAINT "port_mappings_source_client_id_clients_client_id_fk" FOREIGN KEY ("source_client_id") REFERENCES "public"."clients"("client_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "reserved_names" ADD CONSTRAINT "reserved_names_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_monthly" ADD CONSTRAINT "usage_monthly_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_quotas" ADD CONSTRAINT "user_quotas_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_plan_plans_name_fk" FOREIGN KEY ("plan") REFERENCES "public"."plans"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "anonymous_creations_hour" ON "anonymous_creations" USING btree ("hour");--> statement-breakpoint
CREATE INDEX "clients_user" ON "clients" USING btree ("user_id","client_id");--> statement-breakpoint
CREATE INDEX "clients_expires_at" ON "clients" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "endpoint_upstreams_mapping" ON "endpoint_upstreams" USING btree ("mapping_id","client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "endpoint_upstreams_domain" ON "endpoint_upstreams" USING btree ("domain_id","client_id");--> statement-breakpoint
CREATE INDEX "endpoint_upstreams_client" ON "endpoint_upstreams" USING btree ("client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "http_domain_mappings_verified" ON "http_domain_mappings" USING btree ("full_domain") WHERE "http_domain_mappings"."verification_state" = 'verified';--> statement-breakpoint
CREATE UNIQUE INDEX "http_domain_mappings_claim" ON "http_domain_mappings" USING btree ("full_domain","user_id");--> statement-breakpoint
CREATE INDEX "http_domain_mappings_user" ON "http_domain_mappings" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "http_domain_mappings_expires_at" ON "http_domain_mappings" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "port_mappings_public_port" ON "port_mappings" USING btree ("relay_group","protocol","remote_port");--> statement-breakpoint
CREATE INDEX "port_mappings_user" ON "port_mappings" USING btree ("user_id","mapping_id");--> statement-breakpoint
CREATE INDEX "port_mappings_source" ON "port_mappings" USING btree ("source_client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "relay_nodes_fingerprint" ON "relay_nodes" USING btree ("fingerprint");--> statement-breakpoint
CREATE INDEX "relay_nodes_group" ON "relay_nodes" USING btree ("relay_group","node_id");--> statement-breakpoint
CREATE UNIQUE INDEX "signing_keys_active" ON "signing_keys" USING btree ("purpose") WHERE "signing_keys"."state" = 'active';--> statement-breakpoint
CREATE INDEX "audit_log_user" ON "audit_log" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "audit_log_object" ON "audit_log" USING btree ("object_type","object_id","id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "outbox_waiting" ON "outbox" USING btree ("id") WHERE "outbox"."delivered_at" is null;--> statement-breakpoint
CREATE INDEX "outbox_delivered_at" ON "outbox" USING btree ("delivered_at");--> statement-breakpoint
CREATE INDEX "api_keys_user" ON "api_keys" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "usage_reports_received_at" ON "usage_reports" USING btree ("received_at");--> statement-breakpoint
CREATE UNIQUE INDEX "users_username_unique" ON "users" USING btree (lower("username")) WHERE "users"."status" <> 'deleted';--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_unique" ON "users" USING btree (lower("email")) WHERE "users"."status" <> 'deleted';--> statement-breakpoint
CREATE INDEX "users_status" ON "users" USING btree ("status","user_id");