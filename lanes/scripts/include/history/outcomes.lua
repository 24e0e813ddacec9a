-- outcomes(): returns the outcomes of attempts; a done job has their places.
local function outcomes()
  return { 'delivered', 'retry', 'unconfirmed', 'throttled', 'requeued', 'braked', 'refused', 'exhausted', 'unauthorized', 'lost' }
end
