-- All of winback's Lua: commit, acquire, renew, claim, count. No business rule lives here but grant and claim.
-- The same body runs as a Function library or, where functions are not allowed, as scripts.

local function number(text)
  local n = tonumber(text)
  if n == nil or n ~= n then return nil end
  return n
end

-- This server's clock.
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Calls a command with many arguments, so many at a time: a call costs more than an argument. The arguments are taken
-- in groups of `size`, which are not torn apart.
local function in_groups(command, key, args, size)
  local most = size * math.floor(200 / size)
  for from = 1, #args, most do
    local to = math.min(from + most - 1, #args)
    if key then redis.call(command, key, unpack(args, from, to)) else redis.call(command, unpack(args, from, to)) end
  end
end

-- KEYS: meta, timers, outbox, then a key per customer write, per grant write, per list of watchers, and two per coupon write:
-- the free codes, and all codes ever.
-- ARGV: epoch, seq, id, trim, #meta, #customers, #timers, #outbox, #grants, #watches, most watchers of a product,
-- #coupons, then the parts in that order; a list of watchers is #members, #gone, its expiry or nothing where it need not
-- be tidied, then score and member of each, then those who are gone; a coupon write is verb, #codes, codes.
-- A field of the meta without a value is taken away; `goods:` stands for all that begin so.
-- Everything is validated before the first write: Lua has no rollback.
local function commit(keys, argv)
  local epoch, seq, id = number(argv[1]), number(argv[2]), argv[3]
  local trim = number(argv[4])
  local metas, customers, timers, outbox, grants =
    number(argv[5]), number(argv[6]), number(argv[7]), number(argv[8]), number(argv[9])
  local watches, watchers = number(argv[10]), number(argv[11])
  local coupons = number(argv[12])
  if not (epoch and seq and id and trim and metas and customers and timers and outbox and grants and watches and watchers and coupons) then
    return redis.error_reply('BADCOMMIT malformed head')
  end
  local first_watch = 13 + 2 * metas + customers + 2 * timers + outbox + 5 * grants
  local behind = first_watch
  for i = 1, watches do
    local members, gone, expiry = number(argv[behind] or ''), number(argv[behind + 1] or ''), argv[behind + 2]
    if not members or not gone or members < 0 or gone < 0 or not (expiry == '' or number(expiry or '')) then
      return redis.error_reply('BADCOMMIT malformed watch')
    end
    for at = behind + 3, behind + 1 + 2 * members, 2 do
      if not number(argv[at] or '') then return redis.error_reply('BADCOMMIT malformed watch') end
    end
    behind = behind + 3 + 2 * members + gone
    local kind = redis.call('TYPE', keys[3 + customers + grants + i])['ok']
    if kind ~= 'none' and kind ~= 'zset' then return redis.error_reply('BADCOMMIT key of another type') end
  end
  for i = 1, coupons do
    local verb, codes = argv[behind], number(argv[behind + 1] or '')
    if verb ~= 'add' and verb ~= 'take' and verb ~= 'return' then return redis.error_reply('BADCOMMIT unknown coupon write') end
    if not codes or codes < 0 then return redis.error_reply('BADCOMMIT malformed coupon write') end
    behind = behind + 2 + codes
    local at = 3 + customers + grants + watches + 2 * i
    for offset, want in ipairs({ 'list', 'set' }) do
      local kind = redis.call('TYPE', keys[at - 2 + offset])['ok']
      if kind ~= 'none' and kind ~= want then return redis.error_reply('BADCOMMIT key of another type') end
    end
  end
  if #argv ~= behind - 1 or #keys ~= 3 + customers + grants + watches + 2 * coupons then
    return redis.error_reply('BADCOMMIT wrong number of arguments')
  end
  local first_timer = 13 + 2 * metas + customers
  for i = 0, timers - 1 do
    local score = argv[first_timer + 2 * i + 1]
    if score ~= '-' and not number(score) then return redis.error_reply('BADCOMMIT malformed due time') end
  end
  local first_grant = first_timer + 2 * timers + outbox
  for i = 0, grants - 1 do
    local at = first_grant + 5 * i
    local verb = argv[at]
    if verb ~= 'grant' and verb ~= 'remove' and verb ~= 'withdraw' and verb ~= 'move' and verb ~= 'sent' then return redis.error_reply('BADCOMMIT unknown grant write') end
    if verb == 'sent' and not number(argv[at + 4]) then return redis.error_reply('BADCOMMIT malformed grant') end
    if verb == 'grant' and not (number(argv[at + 1]) and number(argv[at + 2]) and number(argv[at + 3]) and number(argv[at + 4])) then
      return redis.error_reply('BADCOMMIT malformed grant')
    end
  end
  for i, want in ipairs({ 'hash', 'zset', 'list' }) do
    local kind = redis.call('TYPE', keys[i])['ok']
    if kind ~= 'none' and kind ~= want then return redis.error_reply('BADCOMMIT key of another type') end
  end

  local meta = redis.call('HMGET', keys[1], 'epoch', 'seq', 'commit')
  local held, at = number(meta[1] or '0') or 0, number(meta[2] or '0') or 0
  if held == epoch and meta[3] == id then return { 'already', held, at } end
  if held ~= epoch or at ~= seq then return { 'fenced', held, at } end

  local arg = 13
  local fields = { 'seq', string.format('%.0f', seq + 1), 'commit', id }
  local empty = {}
  for i = 0, metas - 1 do
    local name, value = argv[arg + 2 * i], argv[arg + 2 * i + 1]
    if value == '' and name == 'goods:' then
      for _, known in ipairs(redis.call('HKEYS', keys[1])) do
        if string.sub(known, 1, 6) == name then empty[#empty + 1] = known end
      end
    elseif value == '' then
      empty[#empty + 1] = name
    else
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  in_groups('HDEL', keys[1], empty, 1)
  in_groups('HSET', keys[1], fields, 2)
  arg = arg + 2 * metas
  local blobs = {}
  for i = 1, customers do
    local blob = argv[arg]
    if blob == '' then
      in_groups('MSET', nil, blobs, 2)
      blobs = {}
      redis.call('DEL', keys[3 + i])
    else
      blobs[#blobs + 1] = keys[3 + i]
      blobs[#blobs + 1] = blob
    end
    arg = arg + 1
  end
  in_groups('MSET', nil, blobs, 2)
  for _ = 1, timers do
    if argv[arg + 1] == '-' then
      redis.call('ZREM', keys[2], argv[arg])
    else
      redis.call('ZADD', keys[2], argv[arg + 1], argv[arg])
    end
    arg = arg + 2
  end
  if trim > 0 then redis.call('LTRIM', keys[3], trim, -1) end
  local entries = {}
  for i = 0, outbox - 1 do entries[#entries + 1] = argv[arg + i] end
  in_groups('RPUSH', keys[3], entries, 1)
  arg = arg + outbox
  for i = 1, grants do
    local key, verb = keys[3 + customers + i], argv[arg]
    if verb == 'remove' then
      redis.call('DEL', key)
    elseif verb == 'sent' then
      redis.call('DEL', key)
      redis.call('HSET', key, 's', 'sent')
      redis.call('PEXPIREAT', key, argv[arg + 4])
    elseif verb == 'withdraw' then
      local state = redis.call('HGET', key, 's')
      if state ~= 'claimed' and state ~= 'sent' then redis.call('DEL', key) end
    elseif verb == 'move' then
      local state = redis.call('HGET', key, 's')
      if state == 'granted' then redis.call('HSET', key, 's', 'moved') end
      -- Whose journey moved can't take it away once its outcome is settled elsewhere: it goes by itself, long after the
      -- message has left its topic.
      if state == 'claimed' then redis.call('PEXPIRE', key, 1209600000) end
    elseif redis.call('HGET', key, 's') ~= 'sent' then
      redis.call('DEL', key)
      redis.call('HSET', key, 's', 'granted', 'a', argv[arg + 1], 'nb', argv[arg + 2], 'na', argv[arg + 3])
      redis.call('PEXPIREAT', key, argv[arg + 4])
    end
    arg = arg + 5
  end
  for i = 1, watches do
    local key = keys[3 + customers + grants + i]
    local members, gone, expiry = number(argv[arg]), number(argv[arg + 1]), argv[arg + 2]
    local last = arg + 2 + 2 * members
    for from = arg + 3, last, 200 do
      redis.call('ZADD', key, unpack(argv, from, math.min(from + 199, last)))
    end
    for from = last + 1, last + gone, 200 do
      redis.call('ZREM', key, unpack(argv, from, math.min(from + 199, last + gone)))
    end
    if expiry ~= '' then
      redis.call('ZREMRANGEBYRANK', key, 0, -(watchers + 1))
      redis.call('PEXPIREAT', key, expiry)
    end
    arg = last + gone + 1
  end
  for i = 1, coupons do
    local at = 3 + customers + grants + watches + 2 * i
    local free, known = keys[at - 1], keys[at]
    local verb, codes = argv[arg], number(argv[arg + 1])
    for j = arg + 2, arg + 1 + codes do
      if verb == 'take' then
        redis.call('LREM', free, 1, argv[j])
      elseif verb == 'return' or redis.call('SADD', known, argv[j]) == 1 then
        redis.call('RPUSH', free, argv[j])
      end
    end
    arg = arg + 2 + codes
  end
  return { 'ok', held, seq + 1 }
end

-- This run of this server: what was vouched for before a restart or a failover may not be what is here now.
local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
end

-- KEYS: meta. ARGV: epoch and sequence of the newest commit that is known elsewhere. Raises the epoch above both, and the
-- sequence to the clock's microseconds: what was numbered in a time line that was lost is never numbered again. A state
-- that is behind what is known went back; it is marked as one that must recover. Returns all fields.
local function acquire(keys, argv)
  local epoch, seq = number(argv[1]), number(argv[2])
  if not epoch or not seq then return redis.error_reply('BADACQUIRE malformed standing') end
  local meta = redis.call('HMGET', keys[1], 'epoch', 'seq')
  local held, at = number(meta[1] or '0') or 0, number(meta[2] or '0') or 0
  local time = redis.call('TIME')
  local above = math.max(at, seq, time[1] * 1000000 + time[2])
  redis.call('HSET', keys[1], 'epoch', string.format('%.0f', math.max(held, epoch) + 1), 'seq', string.format('%.0f', above))
  if seq > at then
    redis.call('HSET', keys[1], 'recovering', string.format('%.0f', at))
    redis.call('HDEL', keys[1], 'lease', 'beat')
  end
  return redis.call('HGETALL', keys[1])
end

-- KEYS: meta. ARGV: epoch, sequence, and up to when all input is applied, or -. Renews the lease of the epoch's owner
-- unless the state is behind it; says epoch and sequence as they are here.
local function renew(keys, argv)
  local epoch, seq, applied = number(argv[1]), number(argv[2]), number(argv[3])
  if not epoch or not seq or not (applied or argv[3] == '-') then return redis.error_reply('BADLEASE malformed lease') end
  local meta = redis.call('HMGET', keys[1], 'epoch', 'seq', 'lease', 'run')
  local held, at = number(meta[1] or '0') or 0, number(meta[2] or '0') or 0
  if meta[1] and held == epoch and at >= seq and applied then
    local here, now, before = run(), milliseconds(), number(meta[3] or '') or 0
    -- A lease never goes back, unless this server's clock did: what lies in the future was said before that.
    if meta[4] == here and before <= now then applied = math.max(applied, before) end
    redis.call('HSET', keys[1], 'lease', string.format('%.0f', applied), 'run', here, 'beat', string.format('%.0f', now))
  end
  return { held, at }
end

-- KEYS: grant, meta. ARGV: attempt, token, timeout in ms, most lag in ms. The window and the age of the partition's
-- lease are judged by this server's clock.
local function claim(keys, argv)
  local timeout, most_lag = number(argv[3]), number(argv[4])
  if not timeout or not most_lag then return redis.error_reply('BADCLAIM malformed terms') end
  local grant = redis.call('HMGET', keys[1], 's', 'a', 'nb', 'na', 't', 'u')
  local now = milliseconds()
  if not grant[1] then return 'gone' end
  if grant[1] == 'claimed' then
    -- After its time whoever claimed it is given up: he must not begin to send (INV-4).
    if grant[5] == argv[2] and grant[2] == argv[1] and now < (number(grant[6] or '') or 0) then return 'claimed' end
    return 'taken'
  end
  if grant[1] == 'sent' then return 'sent' end
  if grant[1] == 'moved' then return 'moved' end
  if grant[2] ~= argv[1] then return 'stale' end
  if now < number(grant[3]) or now > number(grant[4]) then return 'window' end
  local lease = redis.call('HMGET', keys[2], 'lease', 'run', 'beat')
  -- Where this server's clock went back, what was vouched for before lies in the future: it says nothing of now.
  local function fresh(at) return math.abs(now - (number(at or '') or 0)) <= most_lag end
  if lease[2] ~= run() or not fresh(lease[1]) or not fresh(lease[3]) then return 'lag' end
  redis.call('HSET', keys[1], 's', 'claimed', 't', argv[2], 'u', string.format('%.0f', now + timeout))
  -- A claim is never forgotten before its outcome is settled.
  redis.call('PERSIST', keys[1])
  return 'claimed'
end

-- KEYS: counter, a hash of minutes. ARGV: the most in an hour, or - to take one back. Counts one and says 1, or says 0 where
-- there is no room. The minute an hour ago is counted whole: rather a minute too careful.
local function count(keys, argv)
  local most = number(argv[1])
  if not most and argv[1] ~= '-' then return redis.error_reply('BADCOUNT malformed number') end
  local minute = math.floor(redis.call('TIME')[1] / 60)
  local sum, old = 0, {}
  local minutes = redis.call('HGETALL', keys[1])
  for i = 1, #minutes, 2 do
    if number(minutes[i]) < minute - 60 then old[#old + 1] = minutes[i] else sum = sum + number(minutes[i + 1]) end
  end
  if #old > 0 then redis.call('HDEL', keys[1], unpack(old)) end
  if not most then
    if sum > 0 then redis.call('HINCRBY', keys[1], string.format('%.0f', minute), -1) end
    return 1
  end
  if sum >= most then return 0 end
  redis.call('HINCRBY', keys[1], string.format('%.0f', minute), 1)
  redis.call('EXPIRE', keys[1], 7200)
  return 1
end
