'use strict';
// Webhooks after the Standard Webhooks specification: Vendure has none of its
// own, and merchants add a plugin like this one. It sends each event once and
// does not retry, as most such plugins do, so a receiver that is down misses
// events and has to poll.

const crypto = require('node:crypto');
const fs = require('node:fs');
const {
  EventBus,
  FulfillmentEvent,
  OrderPlacedEvent,
  OrderStateTransitionEvent,
  PluginCommonModule,
  ProductEvent,
  ProductVariantEvent,
  StockMovementEvent,
  VendurePlugin,
} = require('@vendure/core');

const TIMEOUT_MS = 10_000;

// HOOK_FILE holds {"url": "...", "secret": "whsec_..."}. It is read for every
// event, because the receiver's address is often known only after the shop runs.
function subscription() {
  try {
    return JSON.parse(fs.readFileSync(process.env.HOOK_FILE, 'utf8'));
  } catch {
    return {};
  }
}

function sign(secret, id, timestamp, body) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = crypto.createHmac('sha256', key).update(`${id}.${timestamp}.${body}`);
  return 'v1,' + mac.digest('base64');
}

async function deliver(type, data) {
  const { url, secret } = subscription();
  if (!url) return;
  const id = 'msg_' + crypto.randomBytes(16).toString('hex');
  const now = new Date();
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const body = JSON.stringify({ type, timestamp: now.toISOString(), data });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
  };
  if (secret) headers['webhook-signature'] = sign(secret, id, timestamp, body);
  try {
    const response = await fetch(url, {
      method: 'POST', headers, body, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    if (!response.ok) console.error(`webhook ${type}: receiver answered ${response.status}`);
  } catch (err) {
    console.error(`webhook ${type}: not delivered: ${err.message}`);
  }
}

const ids = list => list.map(entity => String(entity.id));

class HookPlugin {
  constructor(events) {
    this.events = events;
  }

  onApplicationBootstrap() {
    // An exception in a subscriber would end the server.
    const on = (event, type, data) => this.events.ofType(event).subscribe(e => {
      try {
        void deliver(type(e), data(e));
      } catch (err) {
        console.error(`webhook: ${event.name}: ${err.message}`);
      }
    });

    on(ProductEvent, e => `product.${e.type}`, e => ({ productIds: [String(e.entity.id)] }));
    // A new price comes as an updated variant: the price's own event does not
    // say whose price it is.
    on(ProductVariantEvent, e => `variant.${e.type}`, e => ({
      variantIds: ids(e.entity), skus: e.entity.map(v => v.sku),
    }));
    on(StockMovementEvent, () => 'stock.moved', e => ({
      action: e.type, variantIds: ids(e.stockMovements.map(m => m.productVariant)),
    }));
    on(OrderPlacedEvent, () => 'order.placed', e => ({
      orderId: String(e.order.id), orderCode: e.order.code,
    }));
    on(OrderStateTransitionEvent, () => 'order.changed', e => ({
      orderId: String(e.order.id), orderCode: e.order.code, from: e.fromState, to: e.toState,
    }));
    on(FulfillmentEvent, () => 'fulfillment.created', e => ({ fulfillmentId: String(e.entity.id) }));
  }
}

// What TypeScript's decorators would have written.
Reflect.defineMetadata('design:paramtypes', [EventBus], HookPlugin);
VendurePlugin({ imports: [PluginCommonModule], compatibility: '^3.0.0' })(HookPlugin);

module.exports = { HookPlugin };
