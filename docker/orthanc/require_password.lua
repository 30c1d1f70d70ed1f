-- Stops Orthanc at its start if the user in orthanc.json would have an empty password.
if (os.getenv('ORTHANC_PASSWORD') or '') == '' then
  error('ORTHANC_PASSWORD must be set in the environment of Orthanc. Received: nothing')
end
