#!/usr/bin/env bash
# Makes what `docker compose up` needs: .env with the secrets, a certificate for the local domain, the users of Traefik.
#   AUTH_USER=ada AUTH_PASS='a long password' DOMAIN=spindle.local DB_NAME=spindle infra/provision/provision.sh
# Run again, it keeps every secret and changes only what you changed: AUTH_PASS, AUTH_USER, DOMAIN. It prints no secret.
set -euo pipefail
umask 077

stop() {
  printf 'provision: %s\n' "$*" >&2
  exit 1
}
say() { printf 'provision: %s\n' "$*"; }

root=${SPINDLE_ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
environment=$root/.env
home=$root/.spindle/docker
edge=$home/edge

for name in AUTH_USER AUTH_PASS DOMAIN DB_NAME; do
  [ -n "${!name:-}" ] || stop "$name is not set. Set AUTH_USER, AUTH_PASS, DOMAIN and DB_NAME, and run this again."
done
[[ $AUTH_USER =~ ^[A-Za-z0-9._-]{1,64}$ ]] || stop "AUTH_USER may hold letters, digits, dots, dashes and underscores only, 64 at most."
[ "${#AUTH_PASS}" -ge 12 ] || stop "AUTH_PASS is too short: use 12 characters or more."
[[ $AUTH_PASS != *[[:cntrl:]]* ]] || stop "AUTH_PASS holds a line break or another control character. Use printable characters."
[ "$(printf '%s' "$AUTH_PASS" | fold -w1 | sort -u | wc -l)" -ge 6 ] || stop "AUTH_PASS repeats a few characters. Use 6 different ones or more."
lowered=$(printf '%s' "$AUTH_PASS" | tr '[:upper:]' '[:lower:]')
[[ $lowered != *"$(printf '%s' "$AUTH_USER" | tr '[:upper:]' '[:lower:]')"* ]] || stop "AUTH_PASS holds AUTH_USER. Use a password that does not."
case $lowered in
  *password* | *supersecret* | *changeme* | *123456* | *qwerty*) stop "AUTH_PASS is one that everybody tries first. Use another." ;;
esac
[[ $DOMAIN =~ ^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$ ]] || stop "DOMAIN is no host name with a dot, in lower case, such as spindle.local."
[[ $DB_NAME =~ ^[a-z_][a-z0-9_]{0,62}$ ]] || stop "DB_NAME may hold lower-case letters, digits and underscores only, and starts with a letter."
command -v openssl >/dev/null || stop "openssl was not found. Install it (Debian: apt install openssl)."

# What .env says now; nothing where there is none.
known() { [ -f "$environment" ] && sed -n "s/^$1=//p" "$environment" | head -n 1 || true; }
# Replaces a file only if its content changes, in one step.
put() {
  local file=$1 mode=$2 next=$1.next
  cat >"$next"
  chmod "$mode" "$next"
  if [ -f "$file" ] && cmp -s "$next" "$file"; then rm "$next"; else
    mv "$next" "$file"
    say "wrote ${file#"$root"/}"
  fi
}

before=$(known DB_NAME)
[ -z "$before" ] || [ "$before" = "$DB_NAME" ] ||
  stop "DB_NAME is $before already, and the database was made under that name. Keep it, or remove .env and the volume postgres-data."

mkdir -p "$home" "$edge"
chmod 700 "$home"
# Containers read it as another user. Nobody else of this machine can: the folder above is closed.
chmod 755 "$edge"

accelerator=${SPINDLE_ACCELERATOR:-$(known SPINDLE_ACCELERATOR)}
if [ -z "$accelerator" ]; then
  accelerator=cpu
  if command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; then accelerator=gpu; fi
fi
case $accelerator in cpu | gpu) ;; *) stop "SPINDLE_ACCELERATOR is cpu or gpu." ;; esac
# Docker refuses a container that may use more processors than there are.
cpus=${SPINDLE_CPUS:-$(known SPINDLE_CPUS)}
[ -n "$cpus" ] || cpus=$(getconf _NPROCESSORS_ONLN)
[[ $cpus =~ ^[1-9][0-9]*$ ]] || stop "SPINDLE_CPUS is a whole number of processors, 1 or more."
owner=$(id -u) group=$(id -g)
if [ "$owner" = 0 ]; then owner=1000 group=1000; fi

secrets='POSTGRES_PASSWORD REDIS_PASSWORD REDIS_EXPORTER_PASSWORD REDIS_RUNTIME_PASSWORD REDIS_WORKER_PASSWORD REDIS_BRIDGE_PASSWORD MINIO_ROOT_PASSWORD S3_SECRET_ACCESS_KEY SPINDLE_WORKER_KEY SPINDLE_PROXY_SECRET
GRAFANA_ADMIN_PASSWORD PGADMIN_PASSWORD WEBUI_SECRET_KEY'
kept=
for name in $secrets; do
  value=$(known "$name")
  [ -n "$value" ] || value=$(openssl rand -hex 24)
  # They stand in URLs and in configuration files: nothing in them may need quoting there.
  [[ $value =~ ^[A-Za-z0-9_-]{32,}$ ]] ||
    stop "$name in .env is too weak: 32 characters or more from A-Z, a-z, 0-9, dash and underscore. Remove the line for a new one."
  kept+="$name=$value"$'\n'
done
previous=$(known AUTH_USER)

# Lines of others (OPENAI_API_KEY, OLLAMA_MODEL, SPINDLE_BIND and so on) stay as they are.
ours=$(echo AUTH_USER DOMAIN DB_NAME SPINDLE_ACCELERATOR SPINDLE_CPUS SPINDLE_UID SPINDLE_GID $secrets | tr ' ' '|')
{
  printf '%s\n' "AUTH_USER=$AUTH_USER" "DOMAIN=$DOMAIN" "DB_NAME=$DB_NAME" "SPINDLE_ACCELERATOR=$accelerator" \
    "SPINDLE_CPUS=$cpus" "SPINDLE_UID=$owner" "SPINDLE_GID=$group"
  printf '%s' "$kept"
  if [ -f "$environment" ]; then grep -vE "^($ours)=" "$environment" || true; fi
} | put "$environment" 600

# The users of Traefik. Lines of others stay; so does one of the same user that was made with htpasswd -B.
users=$edge/users
old=$(sed -n "s/^${AUTH_USER//./\\.}://p" "$users" 2>/dev/null | head -n 1 || true)
case $old in
  '$2'*) say "kept the bcrypt line of $AUTH_USER in ${users#"$root"/}" ;;
  *)
    salt=$(printf '%s' "$old" | cut -d'$' -f3)
    [ -n "$salt" ] || salt=$(openssl rand -hex 4)
    # From standard input: arguments stand in the list of processes.
    hash=$(printf '%s' "$AUTH_PASS" | openssl passwd -apr1 -salt "$salt" -stdin)
    if [ "$hash" != "$old" ]; then
      [ -z "$old" ] || hash=$(printf '%s' "$AUTH_PASS" | openssl passwd -apr1 -salt "$(openssl rand -hex 4)" -stdin)
      {
        printf '%s:%s\n' "$AUTH_USER" "$hash"
        if [ -f "$users" ]; then grep -vE "^(${AUTH_USER//./\\.}|${previous//./\\.}):" "$users" || true; fi
      } | put "$users" 644
    fi
    ;;
esac

# A certificate of our own authority for DOMAIN and its sub-domains; again when it ends within 30 days or DOMAIN changed.
authority=$home/ca
if [ ! -f "$authority.crt" ] || [ ! -f "$authority.key" ] || ! openssl x509 -in "$authority.crt" -noout -checkend 7776000 >/dev/null; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 -subj "/CN=Spindle local authority" -keyout "$authority.key" -out "$authority.crt" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
  rm -f "$edge/tls.crt"
  say "wrote ${authority#"$root"/}.crt: import it into your browser once"
fi
if [ ! -f "$edge/tls.crt" ] || [ ! -f "$edge/tls.key" ] || ! openssl x509 -in "$edge/tls.crt" -noout -checkend 2592000 >/dev/null ||
  ! openssl x509 -in "$edge/tls.crt" -noout -checkhost "ui.$DOMAIN" | grep -q 'does match'; then
  request=$home/tls.csr
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj "/CN=$DOMAIN" -keyout "$home/tls.key" -out "$request" 2>/dev/null
  printf '%s\n' "subjectAltName=DNS:$DOMAIN,DNS:*.$DOMAIN" "basicConstraints=critical,CA:FALSE" "extendedKeyUsage=serverAuth" >"$home/tls.ext"
  openssl x509 -req -in "$request" -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -days 397 -sha256 -extfile "$home/tls.ext" \
    -out "$home/tls.crt" 2>/dev/null
  put "$edge/tls.key" 644 <"$home/tls.key"
  put "$edge/tls.crt" 644 <"$home/tls.crt"
  rm -f "$request" "$home/tls.ext" "$home/tls.key" "$home/tls.crt"
fi

say "ready. These names must lead to this machine (hosts file or DNS):"
for name in ui api proxy comfyui s3 grafana prometheus pgadmin redis openwebui; do printf '  127.0.0.1 %s.%s\n' "$name" "$DOMAIN"; done
say "then: docker compose up -d, and https://ui.$DOMAIN"
