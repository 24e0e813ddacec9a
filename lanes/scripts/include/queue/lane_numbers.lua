-- holds_number(name): whether a field of a lane must hold a number.
local function holds_number(name)
  local numbers = ' api_burst api_daily api_number api_window backoff_until brake_at brake_probe_at burst daily day_base '
    .. 'day_from day_quarter day_resets_at day_seen day_seen_at dead_letters delivered gap gap_at in_flight lost lost_counted '
    .. 'pacing_until pending rate_limited_until redundant refused_run released shared_since shared_until throttled_until turn '
    .. 'unsent weight '
  return string.find(numbers, ' ' .. name .. ' ', 1, true)
end
