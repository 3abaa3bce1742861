'use strict';
// The events of a Vendure shop that its webhook tells.

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
const { deliver } = require('./webhook.js');

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
