CREATE TABLE "acme_accounts" (
	"directory_url" text PRIMARY KEY NOT NULL,
	"account_url" text,
	"key_encrypted" text NOT NULL,
	"blocked_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "acme_http_tokens" (
	"token" text PRIMARY KEY NOT NULL,
	"certificate_id" bigint NOT NULL,
	"key_authorization" text NOT NULL,
	"host" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "certificate_orders" (
	"order_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "certificate_orders_order_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"certificate_id" bigint NOT NULL,
	"user_id" bigint,
	"names" text[] NOT NULL,
	"ordered_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"issued_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "certificates" (
	"certificate_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "certificates_certificate_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"names" text[] NOT NULL,
	"domain_id" bigint,
	"base_domain" text,
	"removed_at" timestamp (3) with time zone,
	"state" text DEFAULT 'pending' NOT NULL,
	"challenge" text NOT NULL,
	"order_state" jsonb,
	"next_key_encrypted" text,
	"chain" text,
	"key_encrypted" text,
	"not_before" timestamp (3) with time zone,
	"not_after" timestamp (3) with time zone,
	"next_attempt_at" timestamp (3) with time zone DEFAULT now(),
	"retry_count" integer DEFAULT 0 NOT NULL,
	"last_error" text,
	"lease_holder" text,
	"lease_until" timestamp (3) with time zone,
	"row_version" bigint DEFAULT nextval('row_version_seq') NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "certificates_state_known" CHECK ("certificates"."state" in ('pending', 'ordering', 'validating', 'finalizing', 'active', 'error')),
	CONSTRAINT "certificates_challenge_known" CHECK ("certificates"."challenge" in ('dns-01', 'http-01')),
	CONSTRAINT "certificates_names_some" CHECK (cardinality("certificates"."names") between 1 and 100),
	CONSTRAINT "certificates_one_owner" CHECK ("certificates"."domain_id" is null or "certificates"."base_domain" is null),
	CONSTRAINT "certificates_removed_empty" CHECK ("certificates"."removed_at" is null or ("certificates"."chain" is null and "certificates"."key_encrypted" is null))
);
--> statement-breakpoint
CREATE TABLE "dns_runs" (
	"run_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dns_runs_run_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"zone_id" bigint NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"plan" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"plan_hash" text,
	"provider_calls" integer DEFAULT 0 NOT NULL,
	"error" text,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "dns_runs_kind_known" CHECK ("dns_runs"."kind" in ('due', 'full', 'dry_run')),
	CONSTRAINT "dns_runs_status_known" CHECK ("dns_runs"."status" in ('running', 'done', 'partial', 'failed', 'refused'))
);
--> statement-breakpoint
CREATE TABLE "dns_run_totals" (
	"zone_id" bigint NOT NULL,
	"kind" text NOT NULL,
	"status" text NOT NULL,
	"runs" bigint DEFAULT 0 NOT NULL,
	"provider_calls" bigint DEFAULT 0 NOT NULL,
	"failed_records" bigint DEFAULT 0 NOT NULL,
	"seconds" double precision DEFAULT 0 NOT NULL,
	CONSTRAINT "dns_run_totals_zone_id_kind_status_pk" PRIMARY KEY("zone_id","kind","status")
);
--> statement-breakpoint
CREATE TABLE "dns_zones" (
	"zone_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dns_zones_zone_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint,
	"domain" text NOT NULL,
	"credential_id" bigint NOT NULL,
	"provider_zone_id" text,
	"tag" text NOT NULL,
	"policy" text DEFAULT 'sync' NOT NULL,
	"owner_records" boolean DEFAULT true NOT NULL,
	"website_group" text,
	"guard_share" real DEFAULT 0.3 NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"last_error" text,
	"lease_holder" text,
	"lease_until" timestamp (3) with time zone,
	"fence" bigint DEFAULT 0 NOT NULL,
	"full_pass_at" timestamp (3) with time zone,
	"ran_at" timestamp (3) with time zone,
	"row_version" bigint DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "dns_zones_tag_unique" UNIQUE("tag"),
	CONSTRAINT "dns_zones_policy_known" CHECK ("dns_zones"."policy" in ('sync', 'upsert_only', 'dry_run')),
	CONSTRAINT "dns_zones_status_known" CHECK ("dns_zones"."status" in ('pending', 'active', 'error')),
	CONSTRAINT "dns_zones_domain_name" CHECK ("dns_zones"."domain" = lower("dns_zones"."domain") and length("dns_zones"."domain") <= 253),
	CONSTRAINT "dns_zones_tag" CHECK ("dns_zones"."tag" ~ '^[a-z0-9]{12}$'),
	CONSTRAINT "dns_zones_guard" CHECK ("dns_zones"."guard_share" between 0 and 1)
);
--> statement-breakpoint
CREATE TABLE "domain_dns_records" (
	"record_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "domain_dns_records_record_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"zone_id" bigint NOT NULL,
	"type" text NOT NULL,
	"name" text NOT NULL,
	"value" text NOT NULL,
	"ttl" integer DEFAULT 1 NOT NULL,
	"proxied" boolean,
	"status" text DEFAULT 'pending' NOT NULL,
	"desired_state" text DEFAULT 'present' NOT NULL,
	"provider_record_id" text,
	"retry_count" integer DEFAULT 0 NOT NULL,
	"next_retry_at" timestamp (3) with time zone DEFAULT now(),
	"last_error" text,
	"last_error_code" text,
	"owner_type" text NOT NULL,
	"owner_id" text,
	"automatic" boolean DEFAULT false NOT NULL,
	"run_fence" bigint,
	"row_version" bigint DEFAULT 1 NOT NULL,
	"synced_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "domain_dns_records_type_known" CHECK ("domain_dns_records"."type" in ('A', 'AAAA', 'CNAME', 'TXT')),
	CONSTRAINT "domain_dns_records_status_known" CHECK ("domain_dns_records"."status" in ('pending', 'running', 'active', 'error')),
	CONSTRAINT "domain_dns_records_desired_known" CHECK ("domain_dns_records"."desired_state" in ('present', 'absent')),
	CONSTRAINT "domain_dns_records_owner_known" CHECK ("domain_dns_records"."owner_type" in ('node_group', 'line_group', 'website_domain', 'acme_challenge', 'manual')),
	CONSTRAINT "domain_dns_records_ttl" CHECK ("domain_dns_records"."ttl" = 1 or "domain_dns_records"."ttl" between 60 and 86400),
	CONSTRAINT "domain_dns_records_name" CHECK ("domain_dns_records"."name" = lower("domain_dns_records"."name") and length("domain_dns_records"."name") <= 253)
);
--> statement-breakpoint
CREATE TABLE "provider_credentials" (
	"credential_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "provider_credentials_credential_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"user_id" bigint,
	"name" text NOT NULL,
	"provider" text NOT NULL,
	"token_encrypted" text NOT NULL,
	"endpoint" text,
	"window_started_at" timestamp (3) with time zone,
	"window_calls" integer DEFAULT 0 NOT NULL,
	"blocked_until" timestamp (3) with time zone,
	"row_version" bigint DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "provider_credentials_provider_known" CHECK ("provider_credentials"."provider" in ('cloudflare', 'powerdns')),
	CONSTRAINT "provider_credentials_name_length" CHECK (length("provider_credentials"."name") between 1 and 64)
);
--> statement-breakpoint
ALTER TABLE "certificates" ADD CONSTRAINT "certificates_domain_id_http_domain_mappings_id_fk" FOREIGN KEY ("domain_id") REFERENCES "public"."http_domain_mappings"("id") ON DELETE set null ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "acme_http_tokens" ADD CONSTRAINT "acme_http_tokens_certificate_id_certificates_certificate_id_fk" FOREIGN KEY ("certificate_id") REFERENCES "public"."certificates"("certificate_id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "dns_runs" ADD CONSTRAINT "dns_runs_zone_id_dns_zones_zone_id_fk" FOREIGN KEY ("zone_id") REFERENCES "public"."dns_zones"("zone_id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "dns_run_totals" ADD CONSTRAINT "dns_run_totals_zone_id_dns_zones_zone_id_fk" FOREIGN KEY ("zone_id") REFERENCES "public"."dns_zones"("zone_id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "dns_zones" ADD CONSTRAINT "dns_zones_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "dns_zones" ADD CONSTRAINT "dns_zones_credential_id_provider_credentials_credential_id_fk" FOREIGN KEY ("credential_id") REFERENCES "public"."provider_credentials"("credential_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "domain_dns_records" ADD CONSTRAINT "domain_dns_records_zone_id_dns_zones_zone_id_fk" FOREIGN KEY ("zone_id") REFERENCES "public"."dns_zones"("zone_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "provider_credentials" ADD CONSTRAINT "provider_credentials_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("user_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "acme_http_tokens_expires_at" ON "acme_http_tokens" USING btree ("expires_at");
--> statement-breakpoint
CREATE INDEX "acme_http_tokens_certificate" ON "acme_http_tokens" USING btree ("certificate_id");
--> statement-breakpoint
CREATE INDEX "certificate_orders_ordered_at" ON "certificate_orders" USING btree ("ordered_at");
--> statement-breakpoint
CREATE INDEX "certificate_orders_user" ON "certificate_orders" USING btree ("user_id","ordered_at");
--> statement-breakpoint
CREATE INDEX "certificate_orders_names" ON "certificate_orders" USING btree ("names","ordered_at");
--> statement-breakpoint
CREATE INDEX "certificate_orders_certificate" ON "certificate_orders" USING btree ("certificate_id","order_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "certificates_names" ON "certificates" USING btree ("names");
--> statement-breakpoint
CREATE INDEX "certificates_due" ON "certificates" USING btree ("next_attempt_at") WHERE "certificates"."next_attempt_at" is not null;
--> statement-breakpoint
CREATE INDEX "certificates_version" ON "certificates" USING btree ("row_version");
--> statement-breakpoint
CREATE INDEX "certificates_domain" ON "certificates" USING btree ("domain_id");
--> statement-breakpoint
CREATE INDEX "dns_runs_zone" ON "dns_runs" USING btree ("zone_id","run_id");
--> statement-breakpoint
CREATE INDEX "dns_runs_started_at" ON "dns_runs" USING btree ("started_at");
--> statement-breakpoint
CREATE UNIQUE INDEX "dns_zones_domain" ON "dns_zones" USING btree (coalesce("user_id", 0),"domain");
--> statement-breakpoint
CREATE INDEX "dns_zones_credential" ON "dns_zones" USING btree ("credential_id");
--> statement-breakpoint
CREATE UNIQUE INDEX "domain_dns_records_value" ON "domain_dns_records" USING btree ("zone_id","type","name","value");
--> statement-breakpoint
CREATE INDEX "domain_dns_records_zone" ON "domain_dns_records" USING btree ("zone_id","record_id");
--> statement-breakpoint
CREATE INDEX "domain_dns_records_name" ON "domain_dns_records" USING btree ("zone_id","name");
--> statement-breakpoint
CREATE INDEX "domain_dns_records_relays" ON "domain_dns_records" USING btree ("zone_id","name") WHERE "domain_dns_records"."automatic" and ("domain_dns_records"."type" in ('A', 'AAAA') or "domain_dns_records"."name" like '*.%');
--> statement-breakpoint
CREATE INDEX "domain_dns_records_due" ON "domain_dns_records" USING btree ("zone_id","next_retry_at") WHERE "domain_dns_records"."next_retry_at" is not null;
--> statement-breakpoint
CREATE INDEX "domain_dns_records_owner" ON "domain_dns_records" USING btree ("owner_type","owner_id");
--> statement-breakpoint
CREATE INDEX "provider_credentials_user" ON "provider_credentials" USING btree ("user_id","credential_id");
--> statement-breakpoint
ALTER TABLE "relay_nodes" ADD COLUMN "public_ipv4" text;
--> statement-breakpoint
ALTER TABLE "relay_nodes" ADD COLUMN "public_ipv6" text;
--> statement-breakpoint
ALTER TABLE "relay_nodes" ADD COLUMN "left_at" timestamp (3) with time zone;
--> statement-breakpoint
ALTER TABLE "relay_nodes" ADD COLUMN "lost_at" timestamp (3) with time zone;
--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "setup" jsonb;
--> statement-breakpoint
ALTER TABLE "http_domain_mappings" ADD COLUMN "setup_due_at" timestamp (3) with time zone;
--> statement-breakpoint
CREATE INDEX "http_domain_mappings_setup_due" ON "http_domain_mappings" USING btree ("setup_due_at") WHERE "http_domain_mappings"."base_domain" is null;
