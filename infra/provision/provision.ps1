# Windows: the same program as provision.sh, run in a container, so that there is one implementation.
#   $env:AUTH_USER = "ada"; $env:AUTH_PASS = "a long password"; $env:DOMAIN = "spindle.local"; $env:DB_NAME = "spindle"
#   .\infra\provision\provision.ps1
$ErrorActionPreference = "Stop"

if (-not (Get-Command docker -ErrorAction SilentlyContinue)) {
  [Console]::Error.WriteLine("provision: docker was not found. Install Docker Desktop, start it, and run this again.")
  exit 1
}
foreach ($name in "AUTH_USER", "AUTH_PASS", "DOMAIN", "DB_NAME") {
  if (-not [Environment]::GetEnvironmentVariable($name)) {
    [Console]::Error.WriteLine("provision: $name is not set. Set AUTH_USER, AUTH_PASS, DOMAIN and DB_NAME, and run this again.")
    exit 1
  }
}
# Inside the container nobody sees the GPU.
if (-not $env:SPINDLE_ACCELERATOR -and (Get-Command nvidia-smi -ErrorAction SilentlyContinue)) { $env:SPINDLE_ACCELERATOR = "gpu" }

$root = (Resolve-Path (Join-Path $PSScriptRoot "..\..")).Path
# Names without values: Docker takes them from this environment, and none stands in the list of processes.
docker run --rm --env AUTH_USER --env AUTH_PASS --env DOMAIN --env DB_NAME --env SPINDLE_ACCELERATOR `
  --volume "${root}:/spindle" --workdir /spindle python:3.11.14-slim-bookworm bash infra/provision/provision.sh
exit $LASTEXITCODE
