#!lua name=spindle
-- The bus protocol's atomic steps (DESIGN section 6). Loaded by the runtime with FUNCTION LOAD REPLACE, called by both ends.

local GROUP = 'w'

local function group(stream)
  redis.pcall('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
end

-- KEYS: dispatched mark, stream. ARGV: task entry (JSON), mark's ttl in ms, doorbell channel.
-- Returns the entry's id; calling it again for the same task returns the same id and adds nothing.
redis.register_function('spindle_dispatch', function(keys, args)
  local known = redis.call('GET', keys[1])
  if known then return known end
  group(keys[2])
  local id = redis.call('XADD', keys[2], '*', 'entry', args[1])
  redis.call('SET', keys[1], id, 'PX', args[2])
  redis.call('PUBLISH', args[3], '1')
  return id
end)

-- KEYS: streams, in the order in which they are tried. ARGV: consumer. Returns {stream, id, entry} or nil.
redis.register_function('spindle_take', function(keys, args)
  for _, stream in ipairs(keys) do
    local reply = redis.pcall('XREADGROUP', 'GROUP', GROUP, args[1], 'COUNT', 1, 'STREAMS', stream, '>')
    if reply and reply.err then
      group(stream)
    elseif reply and reply[1] then
      local entry = reply[1][2][1]
      return { stream, entry[1], entry[2] and entry[2][2] or '' }
    end
  end
  return nil
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

-- KEYS: settled mark, results stream. ARGV: result (JSON), mark's ttl in ms, doorbell channel. Idempotent by task.
redis.register_function('spindle_settle', function(keys, args)
  if not redis.call('SET', keys[1], '1', 'NX', 'PX', args[2]) then return 0 end
  redis.call('XADD', keys[2], '*', 'result', args[1])
  redis.call('PUBLISH', args[3], '1')
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

-- KEYS: dispatched mark, stream, lease. Where a dispatched task is: 'leased', 'taken', 'queued' or 'lost'.
redis.register_function('spindle_where', function(keys)
  if redis.call('EXISTS', keys[3]) == 1 then return 'leased' end
  local id = redis.call('GET', keys[1])
  if not id or #redis.call('XRANGE', keys[2], id, id) == 0 then return 'lost' end
  local pending = redis.pcall('XPENDING', keys[2], GROUP, id, id, 1)
  if pending and not pending.err and pending[1] then return 'taken' end
  return 'queued'
end)
