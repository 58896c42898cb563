#!/bin/bash
# One archive a day, read back before it counts; the newest KEEP are kept.
set -euo pipefail
archive="/backups/streaming_poc-$(date --utc +%Y%m%dT%H%M%SZ).archive.gz"
# By a file, so that the password stands in no list of processes.
printf 'uri: "mongodb://backup:%s@mongodb-service:27017/?authSource=admin"\n' \
  "$(cat /run/secrets/mongodb/backup-password)" > /tmp/backup.yaml
mongodump --config=/tmp/backup.yaml --db=streaming_poc --gzip --archive="$archive.part"
mongorestore --config=/tmp/backup.yaml --gzip --archive="$archive.part" --dryRun
mv "$archive.part" "$archive"
rm -f /backups/*.part
find /backups -name 'streaming_poc-*.archive.gz' | sort -r | tail -n "+$((KEEP + 1))" | xargs -r rm --
ls -l /backups
