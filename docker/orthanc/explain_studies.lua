-- Sends the frontal chest radiographs of every stable study to the gateway, and stores its answers in the same study.
-- Needs frontal_chest.lua, gateway.lua and radiograph_queue.lua. What it logs names Orthanc's identifiers and nothing of
-- the patient.

-- What became of a radiograph is remembered in a metadata of its instance. By number, so that it also works where
-- "UserMetadata" does not name it.
local NAME, NUMBER = 'cxr-explain', '4201'
-- While a script runs, Orthanc answers nobody: no further radiograph is asked about in a round that took this long.
local LONGEST_ROUND_S = 3
-- How far to look back in Orthanc's log of changes for what was left over when it stopped.
local CHANGES, PAGE = 10000, 1000

local studies = {} -- to be looked through: a set

local function log(text)
  print('cxr-explain: ' .. text)
end

-- Gives nil for what has been deleted since.
local function get(uri)
  local answer = RestApiGet(uri)
  return answer and ParseJson(answer)
end

local function remember(instance, outcome, results)
  local note = { outcome = outcome, at = os.date('!%Y-%m-%dT%H:%M:%SZ'), results = results }
  RestApiPut('/instances/' .. instance .. '/metadata/' .. NUMBER, DumpJson(note, true))
  log('instance ' .. instance .. ' ' .. outcome)
end

-- Tells whether an instance is a radiograph of which nothing is remembered.
local function isOpen(instance)
  local metadata = get('/instances/' .. instance .. '/metadata?expand') or {}
  return FrontalChest.isRadiograph(metadata) and not (metadata[NAME] or metadata[NUMBER])
end

local function queueOrExclude(instance, study)
  if FrontalChest.isExcludedBy(get('/instances/' .. instance .. '/simplified-tags') or {}) then
    remember(instance, 'not sent')
  else
    RadiographQueue.add(instance, study)
  end
end

local function lookThrough(study)
  for _, series in ipairs(get('/studies/' .. study .. '/series') or {}) do
    for _, instance in ipairs(FrontalChest.maybeIn(series) and series.Instances or {}) do
      if isOpen(instance) then
        queueOrExclude(instance, study)
      end
    end
  end
end

-- Stores a file of an answer; gives its identifier, or nil unless it is in the study. Orthanc answers 200 even where it
-- did not store. What it already has is fine: an answer is the same, to the byte, each time.
local function store(study, file)
  local result = ParseJson(RestApiPost('/instances', file) or '{}')
  if result.ParentStudy == study and (result.Status == 'Success' or result.Status == 'AlreadyStored') then
    return result.ID
  end
  if result.Status == 'Success' then
    log('instance ' .. result.ID .. ' is an answer in another study: removed')
    RestApiDelete('/instances/' .. result.ID)
  end
end

-- Gives the identifiers of the stored files, or nil unless there are files and all are stored.
local function storeAll(study, files)
  local stored = {}
  for _, file in ipairs(files or {}) do
    stored[#stored + 1] = store(study, file)
  end
  return files and #stored == #files and stored or nil
end

-- Gives what became of a radiograph: 'answered' with the identifiers of what is stored, 'failed', 'deleted', or 'away'
-- where the gateway is.
local function explain(instance, study)
  local file = RestApiGet('/instances/' .. instance .. '/file')
  if not file then
    return 'deleted'
  end
  local files = Gateway.explain(file, instance)
  local stored = storeAll(study, files)
  if stored then
    return 'answered', stored
  end
  return (files or Gateway.isReady()) and 'failed' or 'away'
end

local function explainOrWait(instance, study)
  local started = os.time()
  local outcome, results = explain(instance, study)
  local blockedS = os.time() - started
  if outcome == 'away' then
    RadiographQueue.holdAll(instance, blockedS)
  elseif outcome == 'deleted' then
    RadiographQueue.remove(instance)
  elseif outcome == 'answered' then
    RadiographQueue.answered(instance)
    remember(instance, outcome, results)
  elseif RadiographQueue.failed(instance, blockedS) then
    RadiographQueue.remove(instance)
    remember(instance, 'given up')
  end
end

-- Looks through one study and asks about one radiograph; gives false if there was neither.
local function step()
  local listed = next(studies)
  if listed then
    studies[listed] = nil
    lookThrough(listed)
  end
  local instance, study = RadiographQueue.next()
  if instance then
    explainOrWait(instance, study)
  end
  return listed ~= nil or instance ~= nil
end

local function round()
  local started = os.time()
  repeat
    local didSomething = step()
  until not didSomething or os.time() - started >= LONGEST_ROUND_S
end

-- Studies that were waiting, or not yet stable, when Orthanc stopped.
local function lookBack()
  local last = get('/changes?last').Last
  for since = math.max(0, last - CHANGES), last, PAGE do
    for _, change in ipairs(get(string.format('/changes?since=%d&limit=%d', since, PAGE)).Changes) do
      if change.ChangeType == 'NewStudy' or change.ChangeType == 'StableStudy' then
        studies[change.ID] = true
      end
    end
  end
end

local function onStableStudy(study)
  studies[study] = true
  round()
end

-- Keeps what other scripts do at the same event.
local function after(previous, ours)
  return function(...)
    if previous then
      previous(...)
    end
    ours(...)
  end
end

Initialize = after(Initialize, lookBack)
OnStableStudy = after(OnStableStudy, onStableStudy)
OnHeartBeat = after(OnHeartBeat, round) -- of Orthanc 1.11.1 and newer, with "LuaHeartBeatPeriod"
