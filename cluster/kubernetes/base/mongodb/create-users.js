// Runs once, on an empty database: imustream may read and write its own database, the backup may
// read all; neither is the administrator.
const database = process.env.MONGO_INITDB_DATABASE;
db.getSiblingDB("admin").createUser({
  user: process.env.IMUSTREAM_USERNAME,
  pwd: process.env.IMUSTREAM_PASSWORD,
  roles: [{ role: "readWrite", db: database }],
});
db.getSiblingDB("admin").createUser({
  user: "backup",
  pwd: process.env.BACKUP_PASSWORD,
  roles: [{ role: "backup", db: "admin" }],
});
