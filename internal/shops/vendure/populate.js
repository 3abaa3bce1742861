'use strict';
// Fills a new database with one of the catalogues and exits:
//   node populate.js full  SAMPLE_DIR   Vendure's own sample: 54 products, 88 variants
//   node populate.js empty SAMPLE_DIR   zones, taxes, shipping, payment; no product
//   node populate.js large SAMPLE_DIR   1,200 made-up variants, for paging
// The database is named by SQLJS_FILE or DATABASE_URL as in server.js.

process.env.VENDURE_DISABLE_TELEMETRY = 'true';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parse } = require('csv-parse/sync');
const {
  bootstrap, ChannelService, RequestContextService, TransactionalConnection,
} = require('@vendure/core');
const { populate } = require('@vendure/core/cli');
const { CURRENCIES, databaseOptions, saveWhole, shopConfig } = require('./config.js');

const COLUMNS = [
  'name', 'slug', 'description', 'assets', 'facets', 'optionGroups', 'optionValues', 'sku', 'price',
  'taxCategory', 'stockOnHand', 'trackInventory', 'variantAssets', 'variantFacets',
];

// The published file pads its cells with blanks and names pictures that would
// need an asset storage.
function sampleRows(sampleDir) {
  const text = fs.readFileSync(path.join(sampleDir, 'products.csv'), 'utf8');
  return parse(text, { columns: header => header.map(c => c.trim()), trim: true })
    .map(row => ({ ...row, assets: '', variantAssets: '' }));
}

function largeRows() {
  const rows = [];
  for (let p = 0; p < 60; p++) {
    for (let v = 0; v < 20; v++) {
      rows.push({
        ...(v === 0
          ? { name: `Notebook ${p}`, slug: `notebook-${p}`, description: 'Ruled paper', optionGroups: 'edition' }
          : {}),
        optionValues: `No. ${v}`,
        sku: `NB-${String(p * 20 + v).padStart(4, '0')}`,
        price: (1 + p + v / 100).toFixed(2),
        taxCategory: 'standard',
        stockOnHand: String(10 + v),
      });
    }
  }
  return rows;
}

function csv(rows) {
  const cell = value => `"${String(value ?? '').replaceAll('"', '""')}"`;
  return [COLUMNS, ...rows.map(row => COLUMNS.map(c => row[c]))]
    .map(line => line.map(cell).join(',')).join('\n');
}

async function allowCurrencies(app) {
  const channels = app.get(ChannelService);
  const ctx = await app.get(RequestContextService).create({ apiType: 'admin' });
  const channel = await channels.getDefaultChannel(ctx);
  await channels.update(ctx, { id: channel.id, availableCurrencyCodes: CURRENCIES });
}

async function main() {
  const [catalogue, sampleDir] = process.argv.slice(2);
  const rows = { full: () => sampleRows(sampleDir), large: largeRows, empty: () => [] }[catalogue]();
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'selaras-shop-'));
  process.chdir(work);
  const file = rows.length > 0 ? path.join(work, 'products.csv') : undefined;
  if (file) fs.writeFileSync(file, csv(rows));

  const initialData = JSON.parse(fs.readFileSync(path.join(sampleDir, 'initial-data.json'), 'utf8'));
  initialData.collections = [];
  const config = shopConfig({
    port: 0,
    username: process.env.SUPERADMIN_USERNAME,
    password: process.env.SUPERADMIN_PASSWORD,
    importAssetsDir: work,
    database: databaseOptions({
      sqljsFile: process.env.SQLJS_FILE, databaseUrl: process.env.DATABASE_URL, create: true,
    }),
  });
  const app = await populate(() => bootstrap(config), initialData, file);
  await allowCurrencies(app);
  if (fs.existsSync(path.join(work, 'vendure-import-error.log'))) {
    throw new Error(fs.readFileSync(path.join(work, 'vendure-import-error.log'), 'utf8'));
  }
  if (process.env.SQLJS_FILE) {
    saveWhole(process.env.SQLJS_FILE, app.get(TransactionalConnection).rawConnection.driver.export());
  }
  fs.rmSync(work, { recursive: true, force: true });
}

// Node would end with 0 if it found nothing left to wait for.
process.exitCode = 1;
main().then(() => process.exit(0), err => {
  console.error(err);
  process.exit(1);
});
