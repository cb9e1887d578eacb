# Runs at each start of the stack; what is there already stays as it is.
set -eu
mc alias set spindle http://minio:9000 root "$MINIO_ROOT_PASSWORD" >/dev/null
mc mb --ignore-existing "spindle/$S3_BUCKET"
mc ilm import "spindle/$S3_BUCKET" </setup/lifecycle.json
mc admin policy create spindle runtime /setup/policy.json
mc admin user add spindle spindle "$S3_SECRET_ACCESS_KEY" >/dev/null
mc admin policy attach spindle runtime --user spindle 2>/dev/null || mc admin user info spindle spindle | grep -q runtime
