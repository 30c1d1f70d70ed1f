-- Sends the frontal chest radiographs of every stable study to the gateway, and stores its answers in the same study.
-- Needs frontal_chest.lua and gateway.lua. What it logs names Orthanc's identifiers and nothing of the patient.

-- What became of a radiograph is remembered in a metadata of its instance. By number, so that it also works where
-- "UserMetadata" does not name it.
local NAME, NUMBER = 'cxr-explain', '4201'
-- A radiograph that a ready gateway does not answer is asked about this often. Most are refused for good, but Orthanc
-- does not tell the status, and it may have been a moment's overload.
local ATTEMPTS = 3
local PAUSE_S = tonumber(os.getenv('GATEWAY_RETRY_S')) or 15
-- While a script runs, Orthanc answers nobody. Finding that the gateway is away may take a tenth of the time, and no
-- further study is begun in a round that took this long.
local BLOCKED_SHARE = 0.1
local LONGEST_ROUND_S = 3
-- How far to look back in Orthanc's log of changes for what was left over when it stopped.
local CHANGES, PAGE = 10000, 1000

local due = {} -- by study that is not finished: the time from which it is looked at again
local unanswered = {} -- by instance: how often a ready gateway gave no answer
local awayUntil = 0

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
  unanswered[instance] = nil
  log('instance ' .. instance .. ' ' .. outcome)
end

-- Lists the radiographs of a study about which nothing is remembered.
local function openRadiographs(study)
  local found = {}
  for _, series in ipairs(get('/studies/' .. study .. '/series') or {}) do
    for _, instance in ipairs(FrontalChest.maybeIn(series) and series.Instances or {}) do
      local metadata = get('/instances/' .. instance .. '/metadata?expand') or {}
      if FrontalChest.isRadiograph(metadata) and not (metadata[NAME] or metadata[NUMBER]) then
        found[#found + 1] = instance
      end
    end
  end
  return found
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

local function countUnanswered(instance)
  local count = (unanswered[instance] or 0) + 1
  unanswered[instance] = count
  log('instance ' .. instance .. ' got no answer to store; the gateway logs it as the request id')
  if count >= ATTEMPTS then
    remember(instance, 'given up')
  end
  return count >= ATTEMPTS
end

-- Tells whether a radiograph is finished; nil if the gateway is away.
local function explainInstance(study, instance)
  if FrontalChest.isExcludedBy(get('/instances/' .. instance .. '/simplified-tags') or {}) then
    remember(instance, 'not sent')
    return true
  end
  local file = RestApiGet('/instances/' .. instance .. '/file')
  if not file then -- deleted
    return true
  end
  local files = Gateway.explain(file, instance)
  local stored = storeAll(study, files)
  if stored then
    remember(instance, 'answered', stored)
    return true
  end
  if not files and not Gateway.isReady() then
    return nil
  end
  return countUnanswered(instance)
end

local function explainStudy(study)
  due[study] = nil
  for _, instance in ipairs(openRadiographs(study)) do
    local started = os.time()
    local finished = explainInstance(study, instance)
    if not finished then
      due[study] = os.time() + PAUSE_S
    end
    if finished == nil then
      awayUntil = os.time() + math.max(PAUSE_S, (os.time() - started) / BLOCKED_SHARE)
      log('the gateway is away; study ' .. study .. ' waits')
      return
    end
  end
end

local function explainDueStudies()
  local studies, started = {}, os.time()
  for study, time in pairs(due) do
    studies[#studies + 1] = time <= started and study or nil
  end
  for _, study in ipairs(studies) do
    if os.time() < awayUntil or os.time() - started > LONGEST_ROUND_S then
      return
    end
    explainStudy(study)
  end
end

-- Studies that were waiting, or not yet stable, when Orthanc stopped.
local function lookBack()
  local last = get('/changes?last').Last
  for since = math.max(0, last - CHANGES), last, PAGE do
    for _, change in ipairs(get(string.format('/changes?since=%d&limit=%d', since, PAGE)).Changes) do
      if change.ChangeType == 'NewStudy' or change.ChangeType == 'StableStudy' then
        due[change.ID] = os.time()
      end
    end
  end
end

local function onStableStudy(study)
  due[study] = 0
  explainDueStudies()
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
OnHeartBeat = after(OnHeartBeat, explainDueStudies) -- of Orthanc 1.11.1 and newer, with "LuaHeartBeatPeriod"
