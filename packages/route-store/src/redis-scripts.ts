/**
 * Writes an envelope unless a newer one stands there (`mayReplace()` in Lua). A value that cannot be read is replaced.
 * KEYS: key. ARGV: envelope, life in milliseconds. Returns 1 (written) or 0.
 */
export const PUT_SCRIPT = `
local held = redis.call('GET', KEYS[1])
if held then
  local ok, old = pcall(cjson.decode, held)
  if ok then
    local new = cjson.decode(ARGV[1])
    local equal = true
    for i = 1, #new.rank do
      if new.rank[i] > old.rank[i] then equal = false break end
      if new.rank[i] < old.rank[i] then return 0 end
    end
    if equal and old.gone and not new.gone then return 0 end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/**
 * Reads a route with the presences of its upstreams and their nodes. KEYS: route key. ARGV: prefixes of the keys of
 * presences and nodes. Returns null, or [route, presences[], nodes[]] with null for what is missing.
 */
export const RESOLVE_SCRIPT = `
local route = redis.call('GET', KEYS[1])
if not route then return false end
local decoded = cjson.decode(route)
if decoded.gone then return false end
local presences, nodes = {}, {}
for i, upstream in ipairs(decoded.data.upstreams) do
  local presence = redis.call('GET', ARGV[1] .. string.format('%.0f', upstream.client_id))
  presences[i] = presence
  nodes[i] = false
  if presence then
    local place = cjson.decode(presence)
    if not place.gone then nodes[i] = redis.call('GET', ARGV[2] .. place.data.node_id) end
  end
end
return {route, presences, nodes}`;
