-- Asks the gateway about a DICOM file, and takes its answer apart.
--
-- Orthanc's HttpPost gives the body of an answer with a status of 2xx, '' for any other status and nil where there was
-- no answer. It tells neither status nor headers, so that the boundary is read from the body's first line.

Gateway = {}

local URL = os.getenv('GATEWAY_URL') or 'http://127.0.0.1:8080'
local QUERY = os.getenv('GATEWAY_QUERY') or ''
local EXPLAIN = URL .. '/v1/explain' .. (QUERY == '' and '' or '?' .. QUERY)

-- Gives the parts of a body of multipart/related (RFC 2046, section 5.1), or nil if it is none or has no end.
local function parts(body)
  local delimiter = string.match(body, '^(%-%-[^\r\n]+)\r\n')
  local found, position = {}, 1
  while delimiter do
    local _, headersEnd = string.find(body, '\r\n\r\n', position, true)
    local close = headersEnd and string.find(body, '\r\n' .. delimiter, headersEnd, true)
    if not close then
      return nil
    end
    found[#found + 1] = string.sub(body, headersEnd + 1, close - 1)
    position = close + 2 + #delimiter
    if string.sub(body, position, position + 1) == '--' then
      return found
    end
  end
end

-- Gives the DICOM files that answer a file, or nil where there is no such answer. `id` names the request in both logs.
function Gateway.explain(file, id)
  local answer = HttpPost(EXPLAIN, file, {
    ['Accept'] = 'multipart/related; type="application/dicom"',
    ['Content-Type'] = 'application/dicom',
    ['X-Request-Id'] = id,
  })
  return answer and parts(answer)
end

-- Tells whether the gateway and its models are there. If so, no answer to a file is due to that file.
function Gateway.isReady()
  return (HttpGet(URL .. '/readyz') or '') ~= ''
end
