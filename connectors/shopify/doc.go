// Package shopify is the driver for Shopify (https://shopify.dev), through its
// Admin GraphQL API, version 2026-10.
//
// No Shopify server can be run, so nothing here was measured on one. What shaped
// the driver is Shopify's documentation, the schema that it publishes, and
// answers that others recorded:
//
//   - A quantity is set only if the one it replaces still holds
//     (changeFromQuantity), and under an idempotency key. The same key with the
//     same values is answered from memory and does nothing, so that a key may
//     serve one decision only (see attempts.go).
//   - Mutations answer 200 with userErrors. inventorySetQuantities applies all
//     or nothing, but says which items are to blame; productVariantsBulkUpdate
//     can apply the rest.
//   - Searches (anything with query:) are of an index that follows the data:
//     what was just written is not found by its SKU yet. Objects that are read by
//     their id are as stored. So the driver reads by id what it knows the id of,
//     and remembers the ids of what it met (memory.go).
//   - A request costs points of a bucket that refills (bucket.go). A list of
//     nodes by id costs the same however long it is, a connection grows with the
//     logarithm of its length.
//   - An API version that is not served any more is not refused: another one
//     answers, and says so in a header.
//   - productSet deletes the variants that it does not name. It only makes
//     products here that are not there.
//   - Variants have no title of their own: Shopify makes one of the options. A
//     title that says something else is kept in a metafield.
package shopify
