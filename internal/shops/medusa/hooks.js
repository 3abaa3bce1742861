'use strict';
// The events of a Medusa server that its webhook tells. Medusa's payloads hold
// ids only; the receiver reads what it needs.

const { deliver } = require('../../webhook.js');

module.exports = {
  default: async ({ event }) => {
    await deliver(event.name, event.data);
  },
  config: {
    event: [
      'inventory.inventory-level.created',
      'inventory.inventory-level.updated',
      'inventory.reservation-item.created',
      'inventory.reservation-item.deleted',
      'inventory.reservation-item.updated',
      'order.canceled',
      'order.fulfillment_created',
      'order.placed',
      'order.updated',
      'pricing.price.created',
      'pricing.price.updated',
      'product-variant.created',
      'product-variant.deleted',
      'product-variant.updated',
      'product.created',
      'product.deleted',
      'product.updated',
    ],
  },
};
