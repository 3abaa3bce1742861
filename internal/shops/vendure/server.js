'use strict';
// One real Vendure shop. Settings come from the environment:
//   HOST, PORT              address to listen on; HOST is 127.0.0.1 by default
//   SQLJS_FILE              sql.js database file, or
//   DATABASE_URL            postgres://… of a database that holds a catalogue
//   SUPERADMIN_USERNAME, SUPERADMIN_PASSWORD
//   CHANNEL_TOKEN           token of the default channel, unique to the shop
//   HOOK_FILE               JSON {"url","secret"}: see webhook.js
// Prints "ready" alone on a line when both APIs answer. SIGTERM ends it in
// good order.

process.env.VENDURE_DISABLE_TELEMETRY = 'true';

const { bootstrap } = require('@vendure/core');
const { databaseOptions, shopConfig } = require('./config.js');

async function main() {
  const env = process.env;
  await bootstrap(shopConfig({
    host: env.HOST,
    port: Number(env.PORT),
    channelToken: env.CHANNEL_TOKEN,
    username: env.SUPERADMIN_USERNAME,
    password: env.SUPERADMIN_PASSWORD,
    database: databaseOptions({ sqljsFile: env.SQLJS_FILE, databaseUrl: env.DATABASE_URL }),
  }));
  console.log('ready');
}

main().catch(err => {
  console.error(err);
  process.exit(1);
});
