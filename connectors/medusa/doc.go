// Package medusa is the driver for Medusa 2 (https://medusajs.com), an open
// source shop server, through its Admin REST API.
//
// What was measured against version 2.20.1 and shaped this driver:
//
//   - A price list of a variant is replaced by what is sent, in every endpoint:
//     it is read in full and sent in full. POST /admin/products/batch deletes
//     the variants of a product that it does not name; it is never used.
//   - A stock write moves only the updated_at of its inventory level, a change
//     of a product only that of the product, a change of a price or title that
//     of the variant: changes are three lists (see changes.go). Sorting
//     inventory items by their levels takes the oldest level of each, unless
//     the levels are filtered by location.
//   - Every change of an order (edit, fulfilment, shipment, return, cancelling)
//     moves Order.updated_at. What an edit took away is told by the order's
//     changes alone, and a line that became empty is not in the order any more.
//   - available_quantity in the answer of a stock write is the one from before.
//     Answers are not trusted: what is stored is read again.
//   - A batch is applied whole or not at all. Ids are sorted all the same.
//   - A database that is down makes requests hang; /health still says OK.
//   - A write whose client has given up can land after a newer one.
//   - A secret API key costs a hash on each request; a session token is three
//     times faster, so the driver logs in. A token outlives its user.
//   - Options of a product have no order of their own; the driver keeps the
//     order of those that it makes in the product's metadata.
package medusa
