# The platform of the guides: a database whose rows refer to files, and settings, backed up for some
# hours to a bucket, with its keys where they belong. It needs s3server packstone-backup and newdb
# postgres PLATFORM, and runs in $WORK.
set -e
exec </dev/null
mkdir -p etc/packstone srv/files/data srv/files/reports opt/platform/api/instance opt/platform/workers/instance
for name in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_ENDPOINT_URL_S3; do printenv $name | sed "s/^/$name=/"; done >etc/packstone/environment
echo "$PLATFORM" >etc/packstone/metadata-url
chmod 600 etc/packstone/environment etc/packstone/metadata-url
psql -qX "$PLATFORM" <<'SQL'
CREATE TABLE files (id bigint PRIMARY KEY, path text NOT NULL);
INSERT INTO files SELECT i, 'data/' || lpad(i::text, 3, '0') || '.csv' FROM generate_series(1, 40) AS i;
INSERT INTO files VALUES (1001, 'reports/plan.ods');
SQL
for i in $(seq -w 1 40); do seq ${i#0} $((${i#0} + 2000)) >srv/files/data/0$i.csv; done
echo 'plan of October' >srv/files/reports/plan.ods
echo 'SECRET_KEY=k1' >opt/platform/api/instance/app.cfg
echo 'QUEUE=jobs' >opt/platform/workers/instance/app.cfg
cat >etc/packstone/packstone.yaml <<YAML
version: 1
repository: s3://packstone-backup/platform
host: platform-1
keys:
  writer_file: writer.key
  collector_file: collector.key
sources:
  metadata: {type: database, url_file: metadata-url}
  files: {type: files, path: $WORK/srv/files, exclude: ["*.tmp"]}
  settings:
    type: settings
    components: {api: $WORK/opt/platform/api/instance, workers: $WORK/opt/platform/workers/instance, packstone: $WORK/etc/packstone}
sets:
  platform:
    sources: [metadata, files, settings]
    references: [{from: metadata.files.path, to: files}]
    not_backed_up: {redis: "a cache, filled again by itself"}
    schedule: "30 2 * * *"
    max_age: 26h
    retention: {keep_daily: 14, keep_weekly: 8, keep_monthly: 12}
jobs:
  prune: {schedule: "@weekly"}
  check: {schedule: "@daily", read_data: 2%}
YAML
export PACKSTONE_CONFIG=$WORK/etc/packstone/packstone.yaml
packstone init -r s3://packstone-backup/platform
packstone key collector add nightly -o etc/packstone/collector.key
mv root/.config/packstone/identity.txt root/.config/packstone/owner.key media/usb
rm -r root/.config/packstone
sed -n 's/^# public key: //p' media/usb/identity.txt >media/usb/identity.pub
packstone backup -q --time "$(date -u -d '-12 hours' +%Y-%m-%dT%H:%M:%SZ)" platform
