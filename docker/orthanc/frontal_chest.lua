-- Which instances may be frontal chest radiographs, by what Orthanc and their tags say. Only what the gateway would
-- refuse all the same is left out, which saves sending it; whatever is missing or unknown is left to the gateway.

FrontalChest = {}

local function set(words)
  local found = {}
  for word in string.gmatch(words, '%S+') do
    found[word] = true
  end
  return found
end

-- Computed Radiography, and Digital X-Ray for presentation. Answers are Secondary Captures and structured reports: they
-- never count as radiographs, so that no answer asks for another one.
local SOP_CLASSES = set('1.2.840.10008.5.1.4.1.1.1 1.2.840.10008.5.1.4.1.1.1.1')
local MODALITIES = set('CR DX')
-- As api/acquisition.py has them; tests/unit/test_orthanc_files.py compares.
local NOT_FRONTAL = set('LL RL LLD RLD LLO RLO LAO LPO RAO RPO LAT LLAT RLAT LATERAL OBL OBLIQUE DECUB DECUBITUS XTABLE')
local OTHER_BODY_PARTS = set([[
  ABDOMEN ABDOMENPELVIS ANKLE ARM BREAST CALCANEUS CALF CLAVICLE COCCYX CSPINE CERVICALSPINE EAR ELBOW EXTREMITY EYE
  FACE FEMUR FINGER FOOT FOREARM HAND HEAD HEEL HIP HUMERUS JAW KIDNEY KNEE LEG LSPINE LSSPINE LUMBARSPINE LOWERLEG
  MANDIBLE MAXILLA NECK ORBIT PANCREAS PATELLA PELVIS RADIUS SCAPULA SHOULDER SINUS SKULL SPINE SSPINE SACRUM
  THORACICSPINE THUMB TIBIA TLSPINE TOE TSPINE THIGH UPPERARM WRIST ZYGOMA
]])

local function isLateral(viewPosition)
  for word in string.gmatch(string.upper(viewPosition or ''), '[A-Z0-9]+') do
    if NOT_FRONTAL[word] then
      return true
    end
  end
  return false
end

local function isOtherBodyPart(bodyPart)
  local word = string.gsub(string.upper(bodyPart or ''), '[^A-Z0-9]', '')
  return OTHER_BODY_PARTS[word] == true
end

-- A series of Orthanc's REST API.
function FrontalChest.maybeIn(series)
  return MODALITIES[series.MainDicomTags.Modality] == true
end

-- The metadata of an instance.
function FrontalChest.isRadiograph(metadata)
  return SOP_CLASSES[metadata.SopClassUid] == true
end

-- The simplified tags of an instance.
function FrontalChest.isExcludedBy(tags)
  return isLateral(tags.ViewPosition) or isOtherBodyPart(tags.BodyPartExamined)
end
