-- The radiographs that wait for an answer: which one is asked about next, and when one is given up.
--
-- Orthanc does not tell the status of an answer: a radiograph that is refused (422), a wrong GATEWAY_QUERY (422 for all)
-- and an overload (429, 504) look alike. Whether others are answered tells them apart. So a failure counts against a
-- radiograph only if the gateway has answered another one since the failure that counted before.

RadiographQueue = {}

local FAILURES = 5 -- that count, and a radiograph is given up
-- Until one is asked about again, four times as long each time: 15 s, 1 min, 4 min, 16 min, then 64 min.
local PAUSE_S = tonumber(os.getenv('GATEWAY_RETRY_S')) or 15
local GROWTH, STEPS = 4, 4
-- More radiographs than this without an answer in between: the fault is hardly theirs.
local FEW = 3
-- While a script runs, Orthanc answers nobody. Asking in vain may take this share of the time.
local BLOCKED_SHARE = 0.1

local waiting = {} -- by instance
local answers = 0 -- so far
local heldUntil = 0

local function log(text)
  print('cxr-explain: ' .. text)
end

-- Adds a radiograph, unless it is waiting.
function RadiographQueue.add(instance, study)
  waiting[instance] = waiting[instance] or { study = study, from = os.time(), asked = 0, failures = 0 }
end

-- New ones first, so that those which fail keep nobody waiting.
local function isBefore(one, other)
  if one.asked == other.asked then
    return one.from < other.from
  end
  return one.asked < other.asked
end

local function firstOfDue()
  local now, first = os.time(), nil
  for instance, radiograph in pairs(waiting) do
    if radiograph.from <= now and (not first or isBefore(radiograph, waiting[first])) then
      first = instance
    end
  end
  return first
end

-- Gives a radiograph and its study, or nil if there is none to be asked about now.
function RadiographQueue.next()
  local first = os.time() >= heldUntil and firstOfDue()
  if not first then
    return nil
  end
  -- Should a script fail over it, the others come next.
  waiting[first].from = os.time() + PAUSE_S
  return first, waiting[first].study
end

function RadiographQueue.remove(instance)
  waiting[instance] = nil
end

function RadiographQueue.answered(instance)
  answers = answers + 1
  waiting[instance] = nil
end

local function hold(blockedS)
  heldUntil = os.time() + math.max(PAUSE_S, blockedS / BLOCKED_SHARE)
end

-- The gateway was away, which took `blockedS` to find.
function RadiographQueue.holdAll(instance, blockedS)
  hold(blockedS)
  log('the gateway is away; instance ' .. instance .. ' waits')
end

-- Counts the radiographs that failed since the last answer.
local function failing()
  local found = 0
  for _, radiograph in pairs(waiting) do
    found = found + (radiograph.failedAfter == answers and 1 or 0)
  end
  return found
end

local function countFailure(radiograph)
  radiograph.from = os.time() + PAUSE_S * GROWTH ^ math.min(radiograph.asked, STEPS)
  radiograph.asked = radiograph.asked + 1
  if radiograph.failedAfter ~= answers then
    radiograph.failedAfter = answers
    radiograph.failures = radiograph.failures + 1
  end
end

-- A ready gateway gave no answer, in `blockedS`. Tells whether to give the radiograph up.
function RadiographQueue.failed(instance, blockedS)
  local before = failing()
  countFailure(waiting[instance])
  if failing() <= FEW then
    log('instance ' .. instance .. ' got no answer to store; the gateway logs it as the request id')
    return waiting[instance].failures >= FAILURES
  end
  hold(blockedS)
  if before <= FEW then
    log('no radiograph is answered, the last was ' .. instance .. ': see the log of the gateway, and GATEWAY_QUERY. '
      .. 'Asking less often, and giving none up, until one is answered')
  end
  return false
end
