// Package shops runs real third-party shops as child processes: Vendure and
// Medusa servers, the PostgreSQL they keep their data in, and an nginx that
// limits their request rate. The demo sells through them and the tests check
// the drivers against them. It also holds the actions of the people around a
// shop (the merchant who changes a price, the shopper who buys), because those
// are what a sync has to notice.
//
// Servers listen on loopback only, on ports that were free when they started,
// and die with the process that started them. hack/shops/install.sh installs
// what they need, and the schema that Shopify, which cannot be run, publishes of
// its API; test/shops wraps this package for tests.
package shops
