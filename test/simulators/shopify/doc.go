// Package shopify is a simulator of a Shopify shop's Admin GraphQL API, version
// 2026-10, for tests: no such server can be run. It is no shop, and it is not
// Shopify's: it behaves as Shopify's documentation, its published schema and
// answers that others recorded say, as far as the driver comes across it.
//
// It keeps products, variants, quantities by location, orders and subscriptions.
// Requests are validated against the part of the published schema that the
// driver uses (schema.graphql; a test compares it with the publication). What
// else is simulated:
//
//   - versions: one that is not served any more is answered by the oldest that
//     is, and the answer's header says so;
//   - access tokens by the client credentials grant;
//   - the cost of a request, asked for and spent, and the bucket it is taken
//     from; throttling as an answer with status 200 and as status 429;
//   - compare and set of quantities, and idempotency keys: replays, the same key
//     with other values, a first request that is still under way or has failed;
//   - errors of single items, and partial updates;
//   - searches of an index that is behind the data;
//   - webhooks that come late, twice, in another order or not at all, and
//     subscriptions that end after failures;
//   - requests that fail, that are carried out and never answered, and that land
//     after their caller has given up.
//
// What is assumed, because nothing says it: the index is behind by a time that
// is the same for all, a key is remembered for ever, and a search takes SKUs for
// equal that differ in capitals and punctuation only.
package shopify
