'use strict';
// The configuration that the server and the catalogue builder share. Only what
// differs from Vendure's defaults is set, so that the shop behaves as a
// merchant's shop does.

const fs = require('node:fs');
const { DefaultLogger, LogLevel, dummyPaymentHandler } = require('@vendure/core');
const { HookPlugin } = require('./hook.js');

// Currencies with 2, 0 and 3 decimals that a channel of the shop may sell in.
const CURRENCIES = ['USD', 'EUR', 'IDR', 'JPY', 'KWD', 'BHD'];

// sqljs keeps the whole database in memory and hands it over after every
// write. Writing it beside the old file and renaming it keeps the file whole
// through a kill at any instant; TypeORM's own in-place write tears it.
function saveWhole(file, bytes) {
  fs.writeFileSync(file + '.tmp', bytes);
  fs.renameSync(file + '.tmp', file);
}

function sqljsOptions(file) {
  return {
    type: 'sqljs',
    autoSave: true,
    autoSaveCallback: bytes => saveWhole(file, bytes),
    database: new Uint8Array(fs.readFileSync(file)),
  };
}

function databaseOptions({ sqljsFile, databaseUrl, create }) {
  if (sqljsFile && databaseUrl) {
    throw new Error('set SQLJS_FILE or DATABASE_URL, not both');
  }
  // A new database is saved once, when it is complete: see populate.js.
  if (sqljsFile) return create ? { type: 'sqljs', synchronize: true } : sqljsOptions(sqljsFile);
  if (databaseUrl) return { type: 'postgres', url: databaseUrl, synchronize: create };
  throw new Error('set SQLJS_FILE (a sql.js database file) or DATABASE_URL (postgres://…)');
}

function shopConfig({ host = '127.0.0.1', port, channelToken, username, password, database, importAssetsDir }) {
  return {
    defaultChannelToken: channelToken,
    apiOptions: {
      hostname: host,
      port,
      adminApiPath: 'admin-api',
      shopApiPath: 'shop-api',
      shopListQueryLimit: 1000,
    },
    authOptions: {
      tokenMethod: ['bearer', 'api-key'],
      superadminCredentials: { identifier: username, password },
    },
    dbConnectionOptions: database,
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
    importExportOptions: { importAssetsDir },
    logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: true }),
    plugins: [HookPlugin],
  };
}

module.exports = { CURRENCIES, databaseOptions, saveWhole, shopConfig };
