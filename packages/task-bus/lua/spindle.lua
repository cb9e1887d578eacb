#!lua name=spindle
-- The bus protocol's atomic steps (DESIGN section 6). Loaded by the runtime with FUNCTION LOAD REPLACE, called by both ends.

local GROUP = 'w'

local function group(stream)
  redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
end

-- How many tasks of a stream no worker has taken yet.
local function waiting(stream)
  local pending = redis.pcall('XPENDING', stream, GROUP)
  return redis.call('XLEN', stream) - (pending.err and 0 or pending[1])
end

-- KEYS: dispatched mark, stream. ARGV: task entry (JSON), mark's ttl in ms, doorbell channel, how many may wait before it (optional).
-- Returns the entry's id; calling it again for the same task returns the same id and adds nothing. Nil where too many wait.
redis.register_function('spindle_dispatch', function(keys, args)
  local known = redis.call('GET', keys[1])
  if known then return known end
  group(keys[2])
  if args[4] and waiting(keys[2]) > tonumber(args[4]) then return nil end
  local id = redis.call('XADD', keys[2], '*', 'entry', args[1])
  redis.call('SET', keys[1], id, 'PX', args[2])
  redis.call('PUBLISH', args[3], '1')
  return id
end)

-- The id after which a stream's group has taken nothing yet; nil where there is no group.
local function delivered(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return nil end
  for _, fields in ipairs(groups) do
    local name, id
    for i = 1, #fields, 2 do
      if fields[i] == 'name' then name = fields[i + 1] elseif fields[i] == 'last-delivered-id' then id = fields[i + 1] end
    end
    if name == GROUP then return id end
  end
  return nil
end

-- Whether the id `a` is older than `b`.
local function older(a, b)
  local at, an = string.match(a, '(%d+)-(%d+)')
  local bt, bn = string.match(b, '(%d+)-(%d+)')
  at, bt = tonumber(at), tonumber(bt)
  if at ~= bt then return at < bt end
  return tonumber(an) < tonumber(bn)
end

-- KEYS: streams. ARGV: consumer. Takes the task that waited longest on any of them, so that no capability of a device keeps another
-- from it. Returns {stream, id, entry} or nil.
redis.register_function('spindle_take', function(keys, args)
  local first, oldest
  for _, stream in ipairs(keys) do
    if redis.call('XLEN', stream) > 0 then
      local since = delivered(stream)
      if not since then group(stream) since = '0-0' end
      local next = redis.call('XRANGE', stream, '(' .. since, '+', 'COUNT', 1)
      if next[1] and (not oldest or older(next[1][1], oldest)) then first, oldest = stream, next[1][1] end
    end
  end
  if not first then return nil end
  local entry = redis.call('XREADGROUP', 'GROUP', GROUP, args[1], 'COUNT', 1, 'STREAMS', first, '>')[1][2][1]
  return { first, entry[1], entry[2] and entry[2][2] or '' }
end)

-- KEYS: stream. How many of its tasks no worker has taken yet.
redis.register_function('spindle_waiting', function(keys)
  return waiting(keys[1])
end)

-- KEYS: lease, cancel mark. ARGV: owner, lease in ms. Returns 'ok', 'cancel' or 'lost'.
-- A lease that Redis forgot may be taken again by its owner: the fence in the task's name keeps strangers out.
redis.register_function('spindle_beat', function(keys, args)
  local owner = redis.call('GET', keys[1])
  if owner and owner ~= args[1] then return 'lost' end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  local mark = redis.call('GET', keys[2])
  if mark == 'stale' then return 'lost' end
  return mark and 'cancel' or 'ok'
end)

-- KEYS: settled mark, results stream. ARGV: result (JSON), mark's ttl in ms, doorbell channel, signature. Idempotent by task.
redis.register_function('spindle_settle', function(keys, args)
  if not redis.call('SET', keys[1], '1', 'NX', 'PX', args[2]) then return 0 end
  redis.call('XADD', keys[2], '*', 'result', args[1], 'sig', args[4] or '')
  redis.call('PUBLISH', args[3], '1')
  return 1
end)

-- KEYS: results stream. ARGV: stream and id of the entry (JSON), doorbell channel. A worker took it, and it is no task.
redis.register_function('spindle_refuse', function(keys, args)
  redis.call('XADD', keys[1], '*', 'refused', args[1])
  redis.call('PUBLISH', args[2], '1')
  return 1
end)

-- KEYS: dead letters, results stream, stream of the entry (optional). ARGV: why, text, about how many are kept, id of the message,
-- id of the entry. What is no message leaves its stream, and is kept for people.
redis.register_function('spindle_bury', function(keys, args)
  redis.call('XADD', keys[1], 'MAXLEN', '~', args[3], '*', 'why', args[1], 'text', args[2])
  redis.call('XDEL', keys[2], args[4])
  if keys[3] then
    redis.pcall('XACK', keys[3], GROUP, args[5])
    redis.call('XDEL', keys[3], args[5])
  end
  return 1
end)

-- KEYS: cancel mark. ARGV: mark ('1' or 'stale'), ttl in ms, doorbell channel, task.
redis.register_function('spindle_cancel', function(keys, args)
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  redis.call('PUBLISH', args[3], 'cancel ' .. args[4])
  return 1
end)

-- KEYS: dispatched mark, stream, lease. Takes a task off the bus for good, once its fate is committed.
redis.register_function('spindle_done', function(keys)
  local id = redis.call('GET', keys[1])
  if id then
    redis.pcall('XACK', keys[2], GROUP, id)
    redis.call('XDEL', keys[2], id)
  end
  redis.call('DEL', keys[3])
  return id and 1 or 0
end)

-- KEYS: dispatched mark, stream, lease. Takes a task off the bus that no worker has; 0 if one has it, or the bus has not.
redis.register_function('spindle_take_back', function(keys)
  local id = redis.call('GET', keys[1])
  if not id or redis.call('EXISTS', keys[3]) == 1 then return 0 end
  local pending = redis.pcall('XPENDING', keys[2], GROUP, id, id, 1)
  if pending and not pending.err and pending[1] then return 0 end
  if redis.call('XDEL', keys[2], id) == 0 then return 0 end
  redis.call('DEL', keys[1])
  return 1
end)

-- KEYS: dispatched mark, stream, lease. Where a dispatched task is: 'leased', 'taken', 'queued' or 'lost'.
redis.register_function('spindle_where', function(keys)
  if redis.call('EXISTS', keys[3]) == 1 then return 'leased' end
  local id = redis.call('GET', keys[1])
  if not id or #redis.call('XRANGE', keys[2], id, id) == 0 then return 'lost' end
  local pending = redis.pcall('XPENDING', keys[2], GROUP, id, id, 1)
  if pending and not pending.err and pending[1] then return 'taken' end
  return 'queued'
end)
