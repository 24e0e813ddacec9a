-- The layout of keys that these scripts write, as lanes/storage/keys.py has it.
local SCHEMA = 2

-- begin_cell(): with the first job of all, the layout is noted; older data are brought to it by a worker.
local function begin_cell()
  if redis.call('SCARD', key.locations) == 1 then redis.call('SET', key.schema, SCHEMA, 'NX') end
end
