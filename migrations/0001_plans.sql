-- The first rows of `plans`. Plans are data: operators change them later, so rows that exist are left alone.
INSERT INTO "plans" ("name", "max_clients", "max_mappings", "max_active_mappings", "max_connections_per_mapping", "total_bandwidth_limit", "monthly_traffic_limit") VALUES
	('anonymous', 1, 1, 1, NULL, NULL, 1073741824),
	('free', 1, 1, 1, NULL, 524288, 1073741824),
	('pro', 10, 50, 10, 100, 10485760, 536870912000),
	('enterprise', NULL, NULL, NULL, NULL, 104857600, NULL)
ON CONFLICT ("name") DO NOTHING;
